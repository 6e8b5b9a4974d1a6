// What scrolls sideways can be reached, and scrolled, by the keyboard.
addEventListener("load", () => {
  for (const element of document.querySelectorAll("pre, .table-wrapper, div.math, p"))
    if (element.scrollWidth > element.clientWidth && getComputedStyle(element).overflowX === "auto")
      element.tabIndex = 0;
});
