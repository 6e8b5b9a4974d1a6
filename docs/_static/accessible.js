// What the pages lack for keyboards and screen readers.
addEventListener("load", () => {
  for (const element of document.querySelectorAll("pre, .table-wrapper, div.math, p"))
    if (element.scrollWidth > element.clientWidth && getComputedStyle(element).overflowX === "auto")
      element.tabIndex = 0; // to be scrolled by keys
  for (const element of document.querySelectorAll(".citation-list > .citation"))
    element.role = "listitem"; // docutils writes a role that is deprecated
});
