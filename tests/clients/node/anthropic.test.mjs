// The official Anthropic SDK for Node against a live Tidegate: wire.md 14-19 and 21-23.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { anthropicClient, badClaude, cacheWord, CLIENT_KEY, collect, failure, gateway, nonce, upstream } from './support.mjs';

const say = (word, more = {}) => ({
  model: 'claude-test',
  max_tokens: 64,
  messages: [{ role: 'user', content: `${word} many words to say` }],
  temperature: 0,
  ...more,
});

const THINKING = { thinking: { type: 'enabled', budget_tokens: 1024 } };
const TOOLS = { tools: [{ name: 'get_weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }] };

test('wire 21: the stream helper adds up to the JSON answer, thinking and signature included', async () => {
  const { client } = anthropicClient();
  const body = say(nonce(), THINKING);
  const whole = await client.messages.create(body);
  const final = await client.messages.stream(body).finalMessage();
  assert.deepEqual(final.content, whole.content);
  assert.equal(final.content[0].type, 'thinking');
  assert.ok(final.content[0].signature.length > 20);
  assert.deepEqual([final.stop_reason, final.usage.output_tokens], [whole.stop_reason, whole.usage.output_tokens]);
});

test('wire 21: events come in order', async () => {
  const { client } = anthropicClient();
  const word = nonce();
  const events = await collect(await client.messages.create({ ...say(word, TOOLS), messages: [{ role: 'user', content: `${word} call the tools` }], stream: true }));
  const types = events.map((event) => event.type).filter((type) => type !== 'ping');
  assert.equal(types[0], 'message_start');
  assert.deepEqual(types.slice(-2), ['message_delta', 'message_stop']);
  assert.equal(events.at(-2).delta.stop_reason, 'tool_use');
});

for (const step of [{ cut_after: 4 }, { end_after: 4 }]) {
  test(`wire 21: a stream broken by ${JSON.stringify(step)} throws instead of returning half a text`, gateway, async () => {
    const { client } = anthropicClient();
    const word = nonce();
    await upstream.script(word, [step], true);
    const error = await failure(client.messages.create(say(word, { model: badClaude(), stream: true })).then(collect));
    assert.ok(error instanceof Anthropic.APIError, String(error));
  });
}

test('wire 21: one 529 is retried unseen', gateway, async () => {
  const { client, sent } = anthropicClient();
  const word = nonce();
  await upstream.script(word, [{ status: 529 }]);
  assert.ok((await client.messages.create(say(word, { model: badClaude() }))).content.length);
  assert.deepEqual([sent.length, (await upstream.seen(word)).length], [1, 2]);
});

for (const [step, kind] of [
  [{ status: 400 }, 'BadRequestError'],
  [{ status: 429, headers: { 'retry-after': '300' } }, 'RateLimitError'],
  [{ status: 500 }, 'InternalServerError'],
  [{ status: 529 }, 'InternalServerError'],
  [{ status: 503, html: '<html>no</html>' }, 'InternalServerError'],
]) {
  test(`wire 14-16: ${JSON.stringify(step)} is one ${kind}`, gateway, async () => {
    const { client, sent } = anthropicClient();
    const word = nonce();
    await upstream.script(word, [step], true);
    const error = await failure(client.messages.create(say(word, { model: badClaude() })));
    assert.ok(error instanceof Anthropic[kind], String(error));
    assert.equal(error.error.type, 'error');
    assert.ok(error.requestID);
    assert.equal(sent.length, 1);
  });
}

test('identical declared messages are answered once, each with its own request id', gateway, async () => {
  const { client } = anthropicClient();
  const word = nonce();
  const raws = [await client.messages.create(say(word)).asResponse(), await client.messages.create(say(word)).asResponse()];
  assert.deepEqual(raws.map(cacheWord), ['miss', 'hit']);
  assert.equal(await raws[0].text(), await raws[1].text());
  assert.notEqual(raws[0].headers.get('request-id'), raws[1].headers.get('request-id'));
  const events = await collect(await client.messages.create(say(word, { stream: true })));
  assert.equal(events.at(-1).type, 'message_stop');
  assert.equal((await upstream.seen(word)).length, 1);
});

test("wire 22: the client's key stays at the door", gateway, async () => {
  const { client } = anthropicClient();
  const word = nonce();
  await client.messages.create(say(word));
  assert.ok(!JSON.stringify(await upstream.seen(word)).includes(CLIENT_KEY));
});

test('wire 19: models list in the Anthropic shape', gateway, async () => {
  const { client } = anthropicClient();
  const models = await collect(client.models.list({ limit: 1000 }));
  assert.ok(models.some((model) => model.id === 'claude-test' && model.type === 'model' && model.created_at));
});

test('count_tokens reaches the upstream', async () => {
  const { client } = anthropicClient();
  const counted = await client.messages.countTokens({ model: 'claude-test', messages: [{ role: 'user', content: `${nonce()} two words` }] });
  assert.equal(counted.input_tokens, 3);
});
