// The official OpenAI SDKs for Node (6 and 7) against a live Tidegate: wire.md 1-19 and 24-26.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { ask, badModel, cacheWord, CLIENT_KEY, collect, failure, gateway, nonce, openaiClient, openaiSdks, upstream } from './support.mjs';

const text = (parts) => parts.map((part) => part.choices[0]?.delta?.content ?? '').join('');

// The scripted upstream's vector (see vector_text in ../upstream/openai_answers.py), after f32 rounding.
const vector = (item, model = 'embed-small', dimensions = 8) => {
  const kind = Array.isArray(item) ? 'tokens' : 'text';
  const shown = Array.isArray(item) ? `[${item.join(', ')}]` : JSON.stringify(item);
  const bytes = createHash('sha256').update(`0|${model}|${kind}|${shown}`).digest();
  const values = Array.from({ length: dimensions }, (_, i) => Math.round((bytes[i] - 127.5) * 10) / 10_000);
  values[dimensions - 1] = bytes[0] % 2 ? -0 : 1.5e-5;
  return values.map(Math.fround);
};

const plain = (numbers) => Array.from(numbers, Math.fround);

const TOOLS = ['get_weather', 'get_tides'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}));

for (const [name, sdk] of openaiSdks) {
  describe(name, () => {
    test('wire 1: the default base64 answer decodes to the right vector, not to zeros', async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      const answer = await client.embeddings.create({ model: 'embed-small', input: word });
      assert.deepEqual(plain(answer.data[0].embedding), vector(word));
    });

    for (const sends of ['float', 'base64']) {
      for (const asked of ['float', 'base64', undefined]) {
        test(`wire 1: asked ${asked ?? 'nothing'}, an upstream that sends ${sends} changes nothing`, gateway, async () => {
          const { client } = openaiClient(sdk);
          const word = nonce();
          await upstream.script(word, [{ force_format: sends }], true);
          const answer = await client.embeddings.create({ model: 'embed-small', input: word, ...(asked && { encoding_format: asked }) });
          const got = answer.data[0].embedding;
          if (asked === 'base64') {
            const bytes = Buffer.from(got, 'base64');
            assert.deepEqual(vector(word).map((_, i) => bytes.readFloatLE(4 * i)), vector(word));
          } else {
            assert.deepEqual(plain(got), vector(word));
          }
        });
      }
    }

    test('wire 3: one token input, several token inputs and texts are told apart', async () => {
      const { client } = openaiClient(sdk);
      const one = await client.embeddings.create({ model: 'embed-small', input: [41, 42], encoding_format: 'float' });
      const two = await client.embeddings.create({ model: 'embed-small', input: [[41], [42]], encoding_format: 'float' });
      assert.deepEqual(one.data.map((row) => plain(row.embedding)), [vector([41, 42])]);
      assert.deepEqual(two.data.map((row) => plain(row.embedding)), [vector([41]), vector([42])]);
    });

    test('wire 3: an empty item is refused and named, and the SDK does not retry', gateway, async () => {
      const { client, sent } = openaiClient(sdk);
      const error = await failure(client.embeddings.create({ model: 'embed-small', input: ['a', ''] }));
      assert.ok(error instanceof sdk.default.BadRequestError, String(error));
      assert.match(`${error.message} ${error.param}`, /\b1\b/);
      assert.equal(sent.length, 1);
    });

    test('wire 4 and 5: backwards answers are sorted, missing ones an error', gateway, async () => {
      const { client, sent } = openaiClient(sdk);
      const word = nonce();
      await upstream.script(word, [{ reverse: true }], true);
      const items = [0, 1, 2, 3].map((i) => `${word} ${i}`);
      const answer = await client.embeddings.create({ model: 'embed-small', input: items });
      assert.deepEqual(answer.data.map((row) => plain(row.embedding)), items.map((item) => vector(item)));
      const lost = nonce();
      await upstream.script(lost, [{ drop: 99 }], true);
      const error = await failure(client.embeddings.create({ model: badModel(), input: lost }));
      assert.ok(error instanceof sdk.default.InternalServerError, String(error));
      assert.equal(sent.length, 2);
    });

    test('200 clients embedding one text each share batches and every vector is right', gateway, async () => {
      const word = nonce();
      await upstream.script(word, [{ delay_ms: 50 }], true);
      const texts = Array.from({ length: 200 }, (_, i) => `${word} ${i}`);
      const answers = await Promise.all(texts.map((input) => openaiClient(sdk).client.embeddings.create({ model: 'embed-small', input })));
      assert.deepEqual(answers.map((a) => plain(a.data[0].embedding)), texts.map((item) => vector(item)));
      const batches = await upstream.seen(word);
      console.log(`200 clients, ${batches.length} upstream batches`);
      assert.ok(batches.length <= 50, `${batches.length} batches`);
      const invoice = batches.reduce((sum, seen) => sum + seen.invoiced_tokens, 0);
      assert.equal(answers.reduce((sum, a) => sum + a.usage.total_tokens, 0), invoice);
    });

    test('chat: the stream adds up to the JSON answer', async () => {
      const { client } = openaiClient(sdk);
      const body = ask(nonce());
      const whole = await client.chat.completions.create(body);
      const parts = await collect(await client.chat.completions.create({ ...body, stream: true }));
      assert.equal(text(parts), whole.choices[0].message.content);
      assert.equal(new Set(parts.map((p) => `${p.id} ${p.created} ${p.model}`)).size, 1, 'wire 9');
    });

    test('chat: the runner helper of the SDK assembles a streamed tool call', async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      const body = { ...ask(word, { tools: TOOLS }), messages: [{ role: 'user', content: `${word} call the tools` }] };
      const final = await client.chat.completions.stream(body).finalChatCompletion();
      const whole = await client.chat.completions.create(body);
      const calls = (answer) => answer.choices[0].message.tool_calls.map((c) => [c.id, c.function.name, JSON.parse(c.function.arguments)]);
      assert.deepEqual(calls(final), calls(whole));
      assert.equal(calls(final).length, 2);
    });

    test('the first event arrives while the upstream waits', gateway, async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      await upstream.script(word, [{ hold_after: 2 }]);
      const stream = await client.chat.completions.create(ask(word, { stream: true }));
      const parts = stream[Symbol.asyncIterator]();
      assert.equal((await parts.next()).value.choices[0].delta.role, 'assistant');
      assert.equal((await upstream.seen(word))[0].ended, null);
      await upstream.release(word);
      let last;
      for (let step = await parts.next(); !step.done; step = await parts.next()) last = step.value;
      assert.equal(last.choices[0].finish_reason, 'stop');
    });

    for (const step of [{ cut_after: 3 }, { end_after: 3 }, { garbage_after: 3 }]) {
      test(`wire 8: a stream broken by ${JSON.stringify(step)} throws instead of ending`, gateway, async () => {
        const { client } = openaiClient(sdk);
        const word = nonce();
        await upstream.script(word, [step], true);
        const error = await failure(client.chat.completions.create(ask(word, { model: badModel(), stream: true })).then(collect));
        assert.ok(error instanceof sdk.default.APIError, String(error));
      });
    }

    test('wire 10: usage comes only when asked for', gateway, async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      const silent = await collect(await client.chat.completions.create(ask(word, { stream: true })));
      assert.ok(silent.every((part) => part.choices.length === 1 && !part.usage));
      const asked = await collect(await client.chat.completions.create(ask(word, { stream: true, stream_options: { include_usage: true } })));
      assert.equal(asked.at(-1).choices.length, 0);
      assert.ok(asked.at(-1).usage.total_tokens > 0);
    });

    for (const [status, kind] of [[400, 'BadRequestError'], [404, 'NotFoundError'], [422, 'UnprocessableEntityError']]) {
      test(`wire 14: a ${status} of the upstream is a ${kind}, once`, async () => {
        const { client, sent } = openaiClient(sdk);
        const word = nonce();
        await upstream.script(word, [{ status, error_text: 'the upstream says no' }], true);
        const error = await failure(client.chat.completions.create(ask(word, { model: badModel() })));
        assert.ok(error instanceof sdk.default[kind], String(error));
        assert.match(error.message, /the upstream says no/);
        assert.equal(sent.length, 1);
      });
    }

    for (const step of [{ status: 500 }, { status: 502, html: '<html>bad</html>' }, { status: 200, raw: '{' }, { cut: true }]) {
      test(`wire 15: an upstream broken by ${JSON.stringify(step)} is one InternalServerError`, gateway, async () => {
        const { client, sent } = openaiClient(sdk);
        const word = nonce();
        await upstream.script(word, [step], true);
        const error = await failure(client.chat.completions.create(ask(word, { model: badModel() })));
        assert.ok(error instanceof sdk.default.InternalServerError, String(error));
        assert.equal(sent.length, 1);
        assert.ok(error.requestID);
      });
    }

    test('wire 16: Node does not wait a 300 s hint out', gateway, async () => {
      const { client, sent } = openaiClient(sdk);
      const word = nonce();
      await upstream.script(word, [{ status: 429, headers: { 'retry-after': '300' } }], true);
      const error = await failure(client.chat.completions.create(ask(word, { model: badModel() })));
      assert.ok(error instanceof sdk.default.RateLimitError, String(error));
      assert.equal(sent.length, 1);
      assert.ok(Number(error.headers.get('retry-after') ?? 0) <= 60);
    });

    test('wire 18 and 25: hits have the same body and their own request id', gateway, async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      const raws = [await client.chat.completions.create(ask(word)).asResponse(), await client.chat.completions.create(ask(word)).asResponse()];
      assert.deepEqual(raws.map(cacheWord), ['miss', 'hit']);
      const bodies = await Promise.all(raws.map((raw) => raw.text()));
      assert.equal(bodies[0], bodies[1]);
      assert.notEqual(raws[0].headers.get('x-request-id'), raws[1].headers.get('x-request-id'));
      assert.equal((await upstream.seen(word)).length, 1);
    });

    test('simultaneous declared calls are joined in one upstream call', gateway, async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      await upstream.script(word, [{ delay_ms: 700 }], true);
      const raws = await Promise.all(Array.from({ length: 20 }, () => client.chat.completions.create(ask(word)).asResponse()));
      assert.equal((await upstream.seen(word)).length, 1);
      assert.ok(raws.map(cacheWord).includes('joined'));
      assert.equal(new Set(await Promise.all(raws.map((raw) => raw.text()))).size, 1);
    });

    test('stream and JSON share one entry', gateway, async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      const streamed = await collect(await client.chat.completions.create(ask(word, { stream: true })));
      const { data, response } = await client.chat.completions.create(ask(word)).withResponse();
      assert.equal(cacheWord(response), 'hit');
      assert.equal(response.headers.get('x-tidegate-rendered'), '1');
      assert.equal(data.choices[0].message.content, text(streamed));
      assert.equal((await upstream.seen(word)).length, 1);
    });

    test('wire 19: models list and retrieve', gateway, async () => {
      const { client } = openaiClient(sdk);
      const names = (await collect(await client.models.list())).map((model) => model.id);
      assert.ok(names.includes('test-model') && names.includes('embed-small'), String(names));
      assert.equal((await client.models.retrieve('test-model')).object, 'model');
    });

    test('an aborted stream ends the upstream call', gateway, async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      await upstream.script(word, [{ hold_after: 2 }]);
      const stream = await client.chat.completions.create(ask(word, { stream: true }), { headers: { 'x-stainless-retry-count': null } });
      await stream[Symbol.asyncIterator]().next();
      stream.controller.abort();
      await upstream.wait(word, 1, { ended: 'client_left' });
    });

    test("the client's key stays at the door", gateway, async () => {
      const { client } = openaiClient(sdk);
      const word = nonce();
      await client.chat.completions.create(ask(word));
      const raw = await client.moderations.create({ input: word }).asResponse();
      assert.equal(cacheWord(raw), 'bypass');
      assert.ok(!JSON.stringify(await upstream.seen(word)).includes(CLIENT_KEY));
    });
  });
}
