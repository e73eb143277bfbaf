// A page that fails its test for every error a browser tells of: scripts, the console, the content policy, and what axe finds.
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect } from "@playwright/test";

export { expect };

/** `faults.allow` names what a test brings about itself. */
export const test = base.extend({
  faults: async ({ page }, use) => {
    const found = [];
    const allowed = [];
    page.on("pageerror", (error) => found.push(`script: ${error.message}`));
    page.on("console", (line) => {
      if (["error", "warning"].includes(line.type())) found.push(`console: ${line.text()}`);
    });
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    await use({ allow: (text) => allowed.push(text) });
    const left = found.filter((fault) => !allowed.some((text) => fault.includes(text)));
    expect(left, "what the browser complained of").toEqual([]);
  },
});

/** No fault of accessibility in what is shown. */
export async function accessible(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  expect(told, "what axe found").toEqual([]);
}

export async function accessibleInBothSchemes(page) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await accessible(page);
  }
}
