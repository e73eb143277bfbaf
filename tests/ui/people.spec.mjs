// Signing in, and what a role is shown.
import { accessibleInBothSchemes, expect, test } from "./page.mjs";
import { Server } from "./server.mjs";

let server;
let key;

test.beforeAll(async () => {
  server = await new Server().start();
  await server.command(["workspace", "create", "harbour"]);
  await server.command(["user", "create", "ops", "--workspace", "default", "--role", "operator"], "ebb and flow\n");
  await server.command(["user", "create", "reader", "--workspace", "harbour", "--role", "read"], "ebb and flow\n");
  key = await server.command(["key", "create", "--workspace", "harbour", "--name", "app"]);
  key = key.split("\n").at(-1);
});

test.afterAll(() => server.remove());

async function signIn(page, name, password = "ebb and flow") {
  await page.getByLabel("Name or e-mail address").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("whoever signs in comes to where they were going, and no script can read why they may", async ({ page, faults }) => {
  faults.allow("401");
  await page.goto(`${server.address}/console/calls?outcome=hit`);
  await expect(page.getByRole("heading", { name: "Sign in to Tidegate" })).toBeVisible();
  await accessibleInBothSchemes(page);
  await signIn(page, "ops", "wrong");
  await expect(page.getByRole("alert")).not.toBeEmpty();
  await signIn(page, "ops");
  await expect(page.getByRole("search", { name: "Filter calls" })).toBeVisible();
  await expect(page).toHaveURL(/calls\?outcome=hit/);
  await expect(page.getByText("operator", { exact: true })).toBeVisible();
  expect(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }))).not.toContain("ey");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in to Tidegate" })).toBeVisible();
});

test("a reader sees the calls of their workspace, and neither the instance nor bodies", async ({ page, faults }) => {
  faults.allow("401");
  await server.chat("from the harbour", {}, { authorization: `Bearer ${key}` });
  await page.goto(`${server.address}/console/`);
  await signIn(page, "reader");
  await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
  await expect(page.getByRole("region", { name: "Lanes" })).toHaveCount(0);
  await page.getByRole("link", { name: "Calls" }).click();
  const row = page.getByRole("table", { name: "Calls, the latest first" }).getByRole("row").nth(1);
  await expect(row).toContainText("gpt-4o-mini");
  await row.getByRole("link").click();
  await expect(page.getByRole("region", { name: "Request and answer" })).toContainText("role write");
  await accessibleInBothSchemes(page);
});

test("a session that ends while one looks asks to sign in again", async ({ page, context, faults }) => {
  faults.allow("401");
  faults.allow("400"); // there is nothing to renew
  await page.goto(`${server.address}/console/calls`);
  await signIn(page, "reader");
  await expect(page.getByRole("search", { name: "Filter calls" })).toBeVisible();
  await context.clearCookies();
  await page.getByRole("button", { name: "Refresh" }).click();
  await expect(page.getByRole("heading", { name: "Sign in to Tidegate" })).toBeVisible();
  await signIn(page, "reader");
  await expect(page.getByRole("search", { name: "Filter calls" })).toBeVisible();
});
