// The screens beside Now and Calls: what is done on them is done, and said.
import { round } from "./load.mjs";
import { accessibleInBothSchemes, expect, test } from "./page.mjs";
import { Server, provider } from "./server.mjs";

let upstream;
let server;

test.beforeAll(async () => {
  upstream = await provider();
  server = await new Server(upstream.toml).start();
  for (let number = 0; number < 3; number += 1) await round(server, number);
});

test.afterAll(async () => {
  await server.remove();
  upstream.close();
});

test("the playground answers, and the second time from memory with the same words", async ({ page, faults }) => {
  await page.goto(`${server.address}/console/playground`);
  await page.getByLabel("Model").fill("gpt-4o-mini");
  await page.getByLabel("Prompt").fill("Is this remembered?");
  const answers = page.getByRole("region", { name: "Answers" });
  await page.getByRole("button", { name: "Send" }).click();
  await expect(answers.getByRole("listitem").first()).toContainText("miss");
  await expect(answers.getByRole("listitem").first()).toContainText("You asked: Is this remembered?");
  await expect
    .poll(async () => {
      await page.getByRole("button", { name: "Send" }).click();
      await expect(page.getByRole("button", { name: "Send" })).toBeEnabled();
      return answers.getByRole("listitem").first().textContent();
    })
    .toContain("hit");
  await expect(answers.getByRole("listitem").first()).toContainText("You asked: Is this remembered?");
  await page.getByLabel("stream").check();
  await page.getByRole("button", { name: "Send" }).click();
  await expect(answers.getByRole("listitem").first()).toContainText("the way it took");
  await accessibleInBothSchemes(page);
  await answers.getByRole("link", { name: "the way it took" }).first().click();
  await expect(page.getByRole("region", { name: "The way it went" })).toBeVisible();
});

test("a purge is counted, named, and done only when said again", async ({ page, faults }) => {
  await page.goto(`${server.address}/console/cache`);
  await expect(page.getByRole("region", { name: "By model" })).toContainText("gpt-4o-mini");
  await accessibleInBothSchemes(page);
  const purge = page.getByRole("region", { name: "Forget answers" });
  await purge.getByLabel("Name").fill("gpt-4o");
  await purge.getByRole("button", { name: "Count them" }).click();
  const dialog = page.getByRole("dialog", { name: /^Forget \d+ answers\?$/ });
  await expect(dialog).toContainText("of the model gpt-4o in the workspace default");
  await accessibleInBothSchemes(page);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await purge.getByRole("button", { name: "Count them" }).click();
  await dialog.getByRole("button", { name: /^Forget \d+$/ }).click();
  await expect(purge.getByRole("status")).toContainText("forgotten");
  await purge.getByRole("button", { name: "Count them" }).click();
  await expect(purge.getByRole("status")).toContainText("No answer of the model gpt-4o is kept");
});

test("usage is added up by model and day, and goes out as a file", async ({ page, faults }) => {
  await page.goto(`${server.address}/console/usage`);
  await expect(page.getByRole("region", { name: "Usage by model" })).toContainText("text-embedding-3-small");
  const file = page.waitForEvent("download");
  await page.getByRole("button", { name: "These sums as CSV" }).click();
  expect((await file).suggestedFilename()).toBe("usage-by-model.csv");
  await page.getByLabel("Added up by").selectOption("day");
  await expect(page).toHaveURL(/by=day/);
  await expect(page.getByRole("region", { name: "Usage by day" })).toContainText(new Date().toISOString().slice(0, 10));
  await accessibleInBothSchemes(page);
});

test("a key is shown once, rotated, and revoked", async ({ page, faults }) => {
  const own = await new Server().start();
  await own.command(["user", "create", "ops", "--workspace", "default", "--role", "operator"], "ebb and flow\n");
  await page.goto(`${own.address}/console/keys`);
  await page.getByLabel("Name or e-mail address").fill("ops");
  await page.getByLabel("Password").fill("ebb and flow");
  await page.getByRole("button", { name: "Sign in" }).click();
  const form = page.getByRole("region", { name: "New key" });
  await form.getByLabel("Name").fill("nightly job");
  await form.getByRole("button", { name: "Make it" }).click();
  const once = page.getByRole("dialog", { name: "The key nightly job" });
  const secret = await once.locator("code").innerText();
  expect(secret).toMatch(/^tg_/);
  await accessibleInBothSchemes(page);
  expect((await own.chat("with it", {}, { authorization: `Bearer ${secret}` })).status).toBe(200);
  await once.getByRole("button", { name: "I have it" }).click();
  await expect(page.getByText(secret)).toHaveCount(0);
  const keys = page.getByRole("region", { name: "List of keys" });
  await keys.getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("dialog", { name: "Rotate nightly job?" }).getByRole("button", { name: "Rotate" }).click();
  await once.getByRole("button", { name: "I have it" }).click();
  await expect(keys.getByRole("row")).toHaveCount(3);
  const old = keys.getByRole("row").filter({ hasText: secret.slice(0, 11) });
  await old.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog", { name: "Revoke nightly job?" }).getByRole("button", { name: "Revoke" }).click();
  await expect(old).toContainText("revoked");
  expect((await own.chat("with it", {}, { authorization: `Bearer ${secret}` })).status).toBe(401);
  await accessibleInBothSchemes(page);
  await own.remove();
});
