// Limits of a key as the official SDKs meet them: headers that can be read, a refusal as the SDK's own class with the limit in
// its body, and a retry that waits as long as it is told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { ask, failure, gateway, guarded, limitedKey, nonce, openaiSdks, upstream, watching } from './support.mjs';

const TOKENS = 6_000;

const openai = (sdk) => ({
  RateLimitError: sdk.default.RateLimitError,
  names: (kind) => ['limit', 'remaining', 'reset'].map((name) => `x-ratelimit-${name}-${kind}`),
  isReset: (text) => /^(\d+ms|\d+s|\d+m\d+s)$/.test(text),
  error: (refused) => refused.error,
  calls: (apiKey, options = {}) => {
    const client = new sdk.default({ apiKey, baseURL: `${guarded()}/v1`, timeout: 30_000, ...options });
    return (content) => client.chat.completions.create(ask(content));
  },
});

const anthropic = {
  RateLimitError: Anthropic.RateLimitError,
  names: (kind) => ['limit', 'remaining', 'reset'].map((name) => `anthropic-ratelimit-${kind}-${name}`),
  isReset: (text) => !Number.isNaN(Date.parse(text)) && text.endsWith('Z'),
  error: (refused) => refused.error.error,
  calls: (apiKey, options = {}) => {
    const client = new Anthropic({ apiKey, baseURL: guarded(), timeout: 30_000, ...options });
    return (content) => client.messages.create({ model: 'claude-test', max_tokens: 50, messages: [{ role: 'user', content }] });
  },
};

const vendors = [...openaiSdks.map(([name, sdk]) => [name, openai(sdk)]), ['anthropic', anthropic]];

for (const [name, vendor] of vendors) {
  describe(name, gateway, () => {
    test('every answer says what is left in its vendor\'s headers', async () => {
      const call = vendor.calls(await limitedKey({ requests_per_minute: 5, tokens_per_minute: 100_000 }));
      const answer = await call(nonce()).asResponse();
      const told = (kind) => vendor.names(kind).map((field) => answer.headers.get(field));
      const [requests, tokens] = [told('requests'), told('tokens')];
      assert.deepEqual(requests.slice(0, 2), ['5', '4']);
      assert.equal(tokens[0], '100000');
      assert.ok(Number(tokens[1]) > 0 && Number(tokens[1]) < 100_000, tokens[1]);
      assert.ok(vendor.isReset(requests[2]) && vendor.isReset(tokens[2]), `${requests} ${tokens}`);
      await answer.body?.cancel();
    });

    test('a refusal is the SDK\'s rate limit error and names the limit', async () => {
      const key = await limitedKey({ requests_per_minute: 1 });
      const call = vendor.calls(key, { maxRetries: 0 });
      await call(nonce());
      const refused = await failure(call(nonce()));
      assert.ok(refused instanceof vendor.RateLimitError, `${refused}`);
      const { limit, message } = vendor.error(refused);
      assert.deepEqual([limit.name, limit.used, limit.limit], ['requests_per_minute', 1, 1]);
      assert.equal(limit.subject, `key ${key.slice(3, 11)}`);
      assert.ok(message.includes(limit.subject), message);
      assert.ok(Date.parse(limit.reset_at) > Date.now(), limit.reset_at);
      const pause = Number(refused.headers.get('retry-after-ms'));
      assert.ok(pause > 0 && pause <= 60_000, `${pause}`);
    });

    test('the SDK comes back by itself when there is room again', async () => {
      const exchanges = [];
      const key = await limitedKey({ tokens_per_minute: TOKENS });
      const call = vendor.calls(key, { maxRetries: 1, fetch: watching(exchanges) });
      const word = nonce();
      await upstream.script(word, [{ text: 'ok' }], true);
      await call(`${word} ${'a '.repeat(TOKENS + 50)}`);
      await call(word);
      assert.deepEqual(exchanges.map(({ status }) => status), [200, 429, 200]);
      const [, refused, again] = exchanges;
      // A timer of Node may fire within the millisecond before its time.
      assert.ok(again.at - refused.at >= refused.retryAfterMs - 1, `${again.at - refused.at} of ${refused.retryAfterMs} ms`);
    });
  });
}
