// Pictures of every screen for people who have not started it yet: light, dark, and on a phone. Not run with the tests.
import { keep } from "./load.mjs";
import { expect, test } from "./page.mjs";
import { Server, provider } from "./server.mjs";

const FOLDER = new URL("../../docs/images/", import.meta.url).pathname;
const FORMS = {
  light: { colorScheme: "light", width: 1440, height: 1000 },
  dark: { colorScheme: "dark", width: 1440, height: 1000 },
  phone: { colorScheme: "light", width: 390, height: 844 },
};

test("@screenshots every screen", async ({ page, faults }) => {
  test.setTimeout(240_000);
  const upstream = await provider();
  const models = ["gpt-4o", "gpt-4o-mini", "o4-mini", "text-embedding-3-small"].map((name) => `[models.${name}]\ntargets = [{ provider = "openai" }]\n`);
  const server = await new Server(upstream.toml + models.join("")).start();
  await server.command(["workspace", "set", "default", "--keep-bodies", "1"]);
  const call = async () => {
    await page.goto(`${server.address}/console/calls?outcome=miss&model=gpt-4o-mini`);
    await page.getByRole("table").getByRole("row").nth(2).getByRole("link").click();
    await expect(page.getByRole("region", { name: "Why this outcome" })).toContainText("fields decide");
  };
  const at = (path, name) => async () => {
    await page.goto(`${server.address}/console/${path}`);
    await expect(page.getByRole("region", { name }).first()).toBeVisible();
  };
  const played = async () => {
    await at("playground", "Ask")();
    for (const number of [1, 2]) {
      await page.getByRole("button", { name: "Send" }).click();
      await expect(page.getByRole("region", { name: "Answers" }).getByRole("listitem")).toHaveCount(number);
    }
    await expect(page.getByRole("link", { name: "the way it took" })).toHaveCount(2);
  };
  const listed = async () => {
    await page.goto(`${server.address}/console/calls`);
    await expect(page.getByRole("table").getByRole("row").nth(5)).toBeVisible();
  };
  const screens = {
    now: async () => {
      await at("", "Verdict")();
      await expect(page.getByRole("region", { name: "Saved" })).toContainText("look-up");
      await expect(page.getByRole("region", { name: "Latency by stage" }).getByRole("row", { name: /^act/ })).toBeVisible();
    },
    calls: listed,
    call,
    lanes: at("lanes", "Who takes them"),
    batches: at("batches", "The latest batches"),
    cache: at("cache", "By model"),
    providers: at("providers", "Requests by provider"),
    usage: at("usage", "Usage by model"),
    playground: played,
    keys: at("keys", "New key"),
  };
  await at("", "Verdict")();
  const end = keep(server);
  await expect.poll(async () => Number(/in ([0-9.]+) s$/.exec((await page.locator(".verdict .note").first().textContent()) ?? "")?.[1] ?? 0), { timeout: 90_000 }).toBeGreaterThan(40);
  // The stream goes on while the page is loaded anew, so that charts have a past.
  const other = await page.context().newPage();
  await other.goto(`${server.address}/console/`);
  await expect(other.getByRole("region", { name: "Verdict" })).toBeVisible();
  await page.bringToFront();
  for (const [form, { colorScheme, width, height }] of Object.entries(FORMS)) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height });
    for (const [name, show] of Object.entries(screens)) {
      await show();
      await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: `${FOLDER}console-${name}-${form}.png` });
    }
  }
  await end();
  await server.remove();
  upstream.close();
});
