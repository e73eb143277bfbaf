// Traffic with something of everything: hits, joined calls, streams, embeddings, several models, tags, and failures.
const QUESTIONS = ["Why is the sea salty?", "How high is the tide at Bremen?", "Name three kinds of lock gates.", "What is slack water?"];

/** One round of calls; ends when all of them have been answered. */
export async function round(server, number = 0) {
  const of = (list) => list[number % list.length];
  const chats = QUESTIONS.map((question) => server.chat(question, {}, { "x-tidegate-tags": "docs,search" }));
  const fresh = server.chat(`Summarise report ${number}.`, { model: of(["gpt-4o", "gpt-4o-mini", "o4-mini"]) });
  const joined = [1, 2, 3].map(() => server.chat(`Together ${number}`, { model: "gpt-4o" }));
  const streamed = server.chat(`Tell a story ${number}.`, { stream: true, model: "gpt-4o" });
  const loose = server.chat("Surprise me.", { temperature: 0.9 });
  const embedded = [1, 2].map((part) => server.post("/v1/embeddings", { model: "text-embedding-3-small", input: [`a ${number} ${part}`, "always the same"] }));
  await Promise.all([...chats, fresh, ...joined, streamed, loose, ...embedded]);
}

/** Rounds one after the other until told to end. */
export function keep(server) {
  let goes = true;
  const done = (async () => {
    for (let number = 100; goes; number += 1) {
      await round(server, number).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  })();
  return async () => {
    goes = false;
    await done;
  };
}
