// Now, Calls and one call, with real data of a running server.
import { keep, round } from "./load.mjs";
import { accessibleInBothSchemes, expect, test } from "./page.mjs";
import { Server, provider } from "./server.mjs";

const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script> \u202e\u0645\u0631\u062d\u0628\u0627';
let upstream;
let server;

test.beforeAll(async () => {
  upstream = await provider();
  server = await new Server(upstream.toml).start();
  await server.command(["workspace", "set", "default", "--keep-bodies", "1"]);
});

test.afterAll(async () => {
  await server.remove();
  upstream.close();
});

test("Now shows calls, savings and stages as they happen", async ({ page, faults }) => {
  await page.goto(`${server.address}/`);
  await expect(page).toHaveURL(/\/console\/$/);
  await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
  const end = keep(server);
  const tail = page.getByRole("region", { name: "Live calls", exact: true }).first();
  await expect(tail.getByRole("row").nth(8)).toBeVisible();
  await expect(page.getByRole("region", { name: "Verdict" })).toContainText("All is well");
  const saved = page.getByRole("region", { name: "Saved" });
  await expect(saved.getByRole("row", { name: /^exact/ }).getByRole("cell").first()).not.toHaveText("0");
  await expect(saved.getByRole("row", { name: /^joined/ })).toContainText("$");
  await expect(page.getByRole("region", { name: "Latency by stage" }).getByRole("row", { name: /^act/ })).toContainText("ms");
  await expect(page.getByRole("region", { name: "Lanes" }).getByRole("row", { name: /^interactive/ })).toContainText("of 512");
  await page.getByLabel("Outcome").selectOption("joined");
  await expect(tail.getByRole("row").nth(1)).toContainText("joined");
  await expect(tail.getByRole("cell", { name: /hit$/ })).toHaveCount(0);
  await end();
  await accessibleInBothSchemes(page);
});

test("a provider that fails is seen in the verdict, with whose doing it is", async ({ page, faults }) => {
  const broken = await provider();
  broken.isBroken = true;
  const own = await new Server(broken.toml).start();
  await page.goto(`${own.address}/console/`);
  await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
  for (let number = 0; number < 8; number += 1) await own.chat(`broken ${number}`, { model: "gpt-4o" });
  await expect(page.getByRole("region", { name: "Verdict" })).toContainText(/fail|not all is well|cannot be answered/i);
  await expect(page.getByRole("region", { name: "Errors" })).toContainText("provider's");
  await accessibleInBothSchemes(page);
  await own.remove();
  broken.close();
});

test("Calls are filtered by the server, the address keeps the filter, and a list of many is read page by page", async ({ page, faults }) => {
  for (let number = 0; number < 12; number += 1) await round(server, number);
  await page.goto(`${server.address}/console/calls?outcome=hit`);
  const table = page.getByRole("table", { name: "Calls, the latest first" });
  await expect(table.getByRole("row").nth(3)).toContainText("hit");
  await expect(table.getByText("miss", { exact: true })).toHaveCount(0);
  await page.getByLabel("Outcome").selectOption("joined");
  await expect(page).toHaveURL(/outcome=joined/);
  await expect(table.getByRole("row").nth(1)).toContainText("joined");
  await page.getByLabel("Model").fill("no-such-model");
  await page.getByLabel("Model").press("Enter");
  await expect(page.getByText("No call is like that")).toBeVisible();
  await page.goBack();
  await expect(page).not.toHaveURL(/no-such-model/);
  await page.getByRole("button", { name: "Clear" }).click();
  await expect(page.getByText("100+ calls")).toBeVisible();
  const rows = await table.getByRole("row").count();
  expect(rows, "only the rows in sight exist").toBeLessThan(70);
  await table.evaluate((list) => list.scrollTo(0, list.scrollHeight));
  await expect(page.getByText(/^(1[0-9]{2}|2[0-9]{2})\+? calls/)).not.toHaveText("100+ calls");
  await page.goto(`${server.address}/console/calls?model=text-embedding-3-small`);
  await expect(table.getByRole("row").nth(1)).toContainText("text-embedding-3-small");
  await expect(table.getByText("0 B", { exact: true }), "no size where none is told").toHaveCount(0);
  await accessibleInBothSchemes(page);
});

test("one call shows its way, what set it apart, and what was asked, as text whatever it says", async ({ page, faults }) => {
  await server.chat(HOSTILE);
  await server.chat(`${HOSTILE}!`);
  await page.goto(`${server.address}/console/calls?outcome=miss`);
  await expect(page.getByRole("row").nth(2)).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByLabel("Model")).toBeFocused();
  const list = page.getByRole("table", { name: "Calls, the latest first" });
  await list.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/calls\/call_/);
  await expect(page.getByRole("region", { name: "The way it went" }).getByText("act", { exact: true })).toBeVisible();
  const why = page.getByRole("region", { name: "Why this outcome" });
  await expect(why).toContainText("messages[0].content");
  const bodies = page.getByRole("region", { name: "Request and answer" });
  await expect(bodies).toContainText("<script>document.title=1</script>");
  await expect(page.locator("img[src=x]")).toHaveCount(0);
  await expect(page).toHaveTitle(/Tidegate/);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await bodies.getByRole("button", { name: "Copy as curl" }).click();
  const curl = await page.evaluate(() => navigator.clipboard.readText());
  expect(curl).toContain(`curl -sS ${server.address}/v1/chat/completions`);
  await accessibleInBothSchemes(page);
});

test("a call that nobody knows, and a path where no screen is, say so", async ({ page, faults }) => {
  faults.allow("404");
  await page.goto(`${server.address}/console/calls/call_01932c07-9a3e-7a61-b2f0-0123456789ab`);
  await expect(page.getByText("No such call")).toBeVisible();
  await page.goto(`${server.address}/console/nowhere`);
  await expect(page.getByText("No such screen")).toBeVisible();
  await accessibleInBothSchemes(page);
});

test("keys lead through the console", async ({ page, faults }) => {
  await page.goto(`${server.address}/console/`);
  await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page).toHaveURL(/\/calls$/);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await accessibleInBothSchemes(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("n");
  await expect(page).toHaveURL(/\/console\/$/);
  await page.keyboard.press("t");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
});

test("a small screen has no side to scroll to", async ({ page, faults }) => {
  for (const width of [360, 768, 3840]) {
    await page.setViewportSize({ width, height: 800 });
    for (const path of ["", "calls"]) {
      await page.goto(`${server.address}/console/${path}`);
      await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over, `${path} at ${width} px`).toBeLessThanOrEqual(0);
    }
  }
});

test("two tabs of a browser share one stream", async ({ context, page, faults }) => {
  await page.goto(`${server.address}/console/`);
  const other = await context.newPage();
  await other.goto(`${server.address}/console/`);
  await expect(other.getByRole("region", { name: "Verdict" })).toBeVisible();
  const metrics = await (await fetch(`${server.address}/metrics`)).text();
  expect(metrics).toContain("tidegate_console_listeners 1\n");
});

test("a server that goes away is said at once, and seen again when it is back", async ({ page, faults }) => {
  faults.allow("ERR_");
  const own = await new Server().start();
  await page.goto(`${own.address}/console/`);
  await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
  await own.stop();
  await expect(page.getByRole("alert")).toContainText("The server is away");
  await expect(page.getByRole("status").filter({ hasText: "Reconnecting" })).toBeVisible();
  await accessibleInBothSchemes(page);
  await own.start();
  await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
  await own.remove();
});
