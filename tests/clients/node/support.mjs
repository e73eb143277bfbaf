// What the Node suites share: addresses from the environment (see ../harness.py), the upstream's control side, and
// clients that count the requests they really send. Holds no test.
import { randomBytes } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';

const need = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start this suite through tests/clients/run or harness.py`);
  return value;
};

export const tidegate = need('TIDEGATE_URL');
const upstreamUrl = need('UPSTREAM_URL');
export const direct = Boolean(process.env.TIDEGATE_DIRECT);
export const CLIENT_KEY = 'sk-node-client-key-that-must-stay-at-the-door';
// Holds only with Tidegate between client and upstream.
export const gateway = direct ? { skip: 'no gateway in this run' } : {};

export const nonce = () => `nonce-${randomBytes(6).toString('hex')}`;

// The SDK generations whose wire behaviour differs; each test file runs once per entry.
export const openaiSdks = [
  ['openai 6', await import('openai')],
  ['openai 7', await import('openai-v7')],
];

const control = async (action, query, body) => {
  const options = body && { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`${upstreamUrl}/__control/${action}?${new URLSearchParams(query)}`, options);
  if (!answer.ok) throw new Error(`upstream ${action} ${JSON.stringify(query)}: ${await answer.text()}`);
  return (await answer.json()).requests;
};

export const upstream = {
  script: (match, steps, forever = false) => control('script', {}, { match, steps, forever }),
  seen: (match) => control('seen', { match }),
  wait: (match, n, more = {}) => control('wait', { match, n, ...more }),
  release: (match) => control('release', {}, { match }),
};

// Each misbehaving test takes a model with a provider of its own, which no other test feels. One file per vendor and
// one server per suite, so these counters never meet.
let spare = 0;
export const badModel = () => `bad-${String(spare++).padStart(2, '0')}`;
let spareClaude = 0;
export const badClaude = () => `badc-${String(spareClaude++).padStart(2, '0')}`;

const counting = (sent) => (url, init) => {
  sent.push(url);
  return fetch(url, init);
};

export const openaiClient = (sdk, options = {}) => {
  const sent = [];
  const client = new sdk.default({ apiKey: CLIENT_KEY, baseURL: `${tidegate}/v1`, fetch: counting(sent), timeout: 30_000, ...options });
  return { client, sent };
};

export const anthropicClient = (options = {}) => {
  const sent = [];
  const client = new Anthropic({ apiKey: CLIENT_KEY, baseURL: tidegate, fetch: counting(sent), timeout: 30_000, ...options });
  return { client, sent };
};

// A key of the server with keys, which may do so much.
export const limitedKey = async (limits) => {
  const post = async (path, body) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${need('TIDEGATE_OPERATOR')}` };
    const answer = await fetch(`${guarded()}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  const made = await post('/api/v1/keys', { name: 'limited' });
  await post('/api/v1/limits', { key: made.key.id, ...limits });
  return made.secret;
};

export const guarded = () => need('TIDEGATE_GUARDED_URL');

// A fetch that notes when each request left and what came back.
export const watching = (exchanges) => async (url, init) => {
  const at = performance.now();
  const answer = await fetch(url, init);
  exchanges.push({ at, status: answer.status, retryAfterMs: Number(answer.headers.get('retry-after-ms')) });
  return answer;
};

export const ask = (word, more = {}) => ({
  model: 'test-model',
  messages: [{ role: 'user', content: `${word} say something` }],
  temperature: 0,
  ...more,
});

export const cacheWord = (response) => response.headers.get('x-tidegate-cache').split(';')[0].trim();

export const collect = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
};

export const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the call was expected to fail');
};
