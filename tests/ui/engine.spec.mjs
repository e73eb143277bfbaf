// What runs inside: lanes, batches, providers, with real data of a running server.
import { round } from "./load.mjs";
import { accessibleInBothSchemes, expect, test } from "./page.mjs";
import { Server, provider } from "./server.mjs";

let upstream;
let server;

test.beforeAll(async () => {
  upstream = await provider();
  server = await new Server(`${upstream.toml}[models.gpt-4o-mini]\ntargets = [{ provider = "openai" }]\n[models."*"]\ntargets = [{ provider = "openai" }]\n`).start();
});

test.afterAll(async () => {
  await server.remove();
  upstream.close();
});

test("Lanes shows what runs, what waits, and whose it is", async ({ page, faults }) => {
  const slow = await provider();
  slow.delay = 1_000;
  const own = await new Server(`${slow.toml}[lanes]\nmax_concurrency = 2\n`).start();
  await page.goto(`${own.address}/console/`);
  await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("l");
  await expect(page).toHaveURL(/\/lanes$/);
  const interactive = page.getByRole("region", { name: "Lanes" }).getByRole("row", { name: /^interactive/ });
  await expect(interactive).toContainText("well");
  await expect(page.getByRole("region", { name: "Who takes them" })).toContainText("No call yet");
  await expect(page.getByRole("region", { name: "Restarts" })).toContainText("none");
  const calls = Promise.all([1, 2, 3, 4, 5].map((number) => own.chat(`slow ${number}`)));
  await expect(interactive).toContainText("all slots taken");
  await expect(interactive).toContainText("1 of 1");
  await expect(page.getByRole("region", { name: "Waiting" }).getByRole("img")).toHaveAccessibleName(/interactive [1-4], heavy 0 just now/);
  await calls;
  await expect(page.getByRole("region", { name: "Who takes them" }).getByRole("row", { name: /^default/ })).toContainText("100%");
  await accessibleInBothSchemes(page);
  await own.remove();
  slow.close();
});

test("Batches says when nothing was batched, and then who collected what", async ({ page, faults }) => {
  await page.goto(`${server.address}/console/batches`);
  await expect(page.getByRole("region", { name: "Batchers" })).toContainText("No batcher now");
  const went = page.getByRole("region", { name: "Batches that went" });
  await expect(went).toContainText("No batch went");
  await accessibleInBothSchemes(page);
  for (let number = 0; number < 3; number += 1) await round(server, number);
  await expect(page.getByRole("region", { name: "Batchers" }).getByRole("row", { name: /text-embedding-3-small/ })).toContainText(/idle|sending|collecting/);
  const latest = went.getByRole("row", { name: /text-embedding-3-small/ });
  await expect(latest.first()).toContainText("ok");
  const items = page.getByRole("region", { name: "Embedding items" });
  await expect(items).toContainText("12");
  await accessibleInBothSchemes(page);
});

test("Providers tells who answers, and leads to a call of a model", async ({ page, faults }) => {
  await round(server, 7);
  await page.goto(`${server.address}/console/providers`);
  await expect(page.getByRole("region", { name: "Each provider" }).getByRole("row", { name: /^openai/ })).toContainText("requests go to it");
  await expect(page.getByRole("region", { name: "Requests by provider" }).getByRole("row", { name: /^openai/ })).toContainText("ms");
  const models = page.getByRole("region", { name: "Models" });
  await expect(models.getByRole("row", { name: /^gpt-4o-mini/ })).toContainText("openai");
  await accessibleInBothSchemes(page);
  await models.getByRole("link", { name: "Try gpt-4o-mini in the playground" }).click();
  await expect(page.getByRole("combobox", { name: "Model" })).toHaveValue("gpt-4o-mini");
});

test("a provider that is left alone is said in words", async ({ page, faults }) => {
  const broken = await provider();
  broken.isBroken = true;
  const own = await new Server(broken.toml).start();
  await page.goto(`${own.address}/console/providers`);
  await expect(page.getByRole("region", { name: "Latest requests" })).toContainText("No request went to a provider");
  for (let number = 0; number < 8; number += 1) await own.chat(`broken ${number}`);
  const row = page.getByRole("region", { name: "Each provider" }).getByRole("row", { name: /^openai/ });
  await expect(row).toContainText("left alone");
  await expect(row).toContainText("it failed too often in a row");
  await accessibleInBothSchemes(page);
  await own.remove();
  broken.close();
});

test("they fit a phone, and the screen one is on is in sight", async ({ page, faults }) => {
  await page.setViewportSize({ width: 360, height: 800 });
  for (const [path, title] of [["lanes", "Lanes"], ["batches", "Batches"], ["providers", "Providers"], ["keys", "Keys"]]) {
    await page.goto(`${server.address}/console/${path}`);
    await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
    await expect(page.getByRole("navigation").getByRole("link", { name: title })).toBeInViewport();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(over, path).toBeLessThanOrEqual(0);
  }
});

test("without its server what was seen last stays, and why there is no more is said", async ({ page, faults }) => {
  faults.allow("ERR_");
  const own = await new Server().start();
  await page.goto(`${own.address}/console/batches`);
  const went = page.getByRole("region", { name: "Batches that went" });
  await expect(went).toContainText("No batch went");
  await own.stop();
  await expect(went.getByRole("alert")).toContainText("The server is away");
  await expect(page.getByRole("region", { name: "Batchers" })).toContainText("No batcher now");
  await accessibleInBothSchemes(page);
  await own.remove();
});

test("who is no operator is told that these need one", async ({ page, faults }) => {
  faults.allow("401");
  const own = await new Server().start();
  await own.command(["user", "create", "reader", "--workspace", "default", "--role", "read"], "ebb and flow\n");
  await page.goto(`${own.address}/console/lanes`);
  await page.getByLabel("Name or e-mail address").fill("reader");
  await page.getByLabel("Password").fill("ebb and flow");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("Lanes needs the role operator")).toBeVisible();
  await expect(page.getByRole("navigation").getByRole("link", { name: "Lanes" })).toHaveCount(0);
  await own.remove();
});
