// Checks every page of the built documentation in Chromium: at the widths of a screen and of a
// phone, in the light and in the dark, no page scrolls sideways, and axe-core finds no violation of
// the WCAG: contrast, texts for images, names of links and the like.
//
//     npm install --no-save --no-package-lock puppeteer-core axe-core
//     node docs/check_pages.mjs docs/_build [--pictures FOLDER] [--only TEXT]
//
// With --pictures, it also writes a picture of every page. CHROMIUM names the browser, which is
// /usr/bin/chromium by default. Prints the faults, and ends with status 1 if there are any.

import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import puppeteer from "puppeteer-core";

const WIDTHS = [1400, 400];
const SCHEMES = ["light", "dark"];
const RULES = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] };
// The source code is shown as it is, and has no pictures or forms.
const NOT_FOR_AXE = /^_modules\//;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pictures: { type: "string" }, only: { type: "string", default: "" } },
});
const [root] = positionals;
if (!root) throw new Error("usage: node check_pages.mjs FOLDER [--pictures FOLDER] [--only TEXT]");

const pages = fs
  .readdirSync(root, { recursive: true })
  .filter((name) => name.endsWith(".html") && !name.startsWith("_static/"))
  .filter((name) => name.includes(values.only))
  .sort();

// The elements that make the page wider than the window.
function overflowing() {
  const width = window.innerWidth;
  if (document.scrollingElement.scrollWidth <= width) return [];
  const inScroller = (element) => {
    for (let e = element.parentElement; e && e !== document.body; e = e.parentElement)
      if (getComputedStyle(e).overflowX !== "visible") return true;
    return false;
  };
  const wide = [...document.querySelectorAll("body *")].filter(
    (e) => e.getBoundingClientRect().right > width + 1 && !inScroller(e),
  );
  const names = wide.map((e) => `${e.tagName.toLowerCase()}.${e.className}`);
  return [...new Set(names)].slice(0, 5).concat(document.scrollingElement.scrollWidth);
}

async function check(page, name, width, scheme) {
  const faults = [];
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(pathToFileURL(path.resolve(root, name)).href, { waitUntil: "load" });
  const wide = await page.evaluate(overflowing);
  if (wide.length) faults.push(`scrolls sideways: ${wide.join(", ")}`);
  if (!NOT_FOR_AXE.test(name)) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate((runOnly) => axe.run({ runOnly }), RULES);
    for (const { id, nodes } of violations) {
      const shown = nodes.slice(0, 3).map((node) => node.html.slice(0, 120));
      faults.push(`${id} (${nodes.length}): ${shown.join(" | ")}`);
    }
  }
  if (values.pictures) {
    const file = `${name.replaceAll("/", "-").replace(".html", "")}-${width}-${scheme}.png`;
    await page.screenshot({ path: path.join(values.pictures, file), fullPage: true });
  }
  return faults;
}

if (values.pictures) fs.mkdirSync(values.pictures, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"], // the pages are our own
});
const page = await browser.newPage();
let count = 0;
for (const name of pages)
  for (const width of WIDTHS)
    for (const scheme of SCHEMES)
      for (const fault of await check(page, name, width, scheme)) {
        console.log(`${name}, ${width} pixels, ${scheme}: ${fault}`);
        count += 1;
      }
await browser.close();
console.log(`${pages.length} pages, ${count} faults`);
process.exitCode = count ? 1 : 0;
