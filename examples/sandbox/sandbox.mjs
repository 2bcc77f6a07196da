// Use the sandbox over HTTP alone: what a program in any language does, with fetch (Node 20 or newer, no packages).
//
//   marketingblocks sandbox --port 8080 &
//   node examples/sandbox/sandbox.mjs http://127.0.0.1:8080

const root = process.argv[2] ?? "http://127.0.0.1:8080";
const token = process.argv[3] ?? "sandbox-token";

async function control(method, name, body) {
  const response = await fetch(`${root}/_sandbox/${name}`, { method, body: body && JSON.stringify(body) });
  const value = await response.json();
  if (!response.ok) throw new Error(`${method} ${name}: ${value.message}`);
  return value;
}

function createPost(text) {
  return fetch(`${root}/api/v1/social-sparks/create-post`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({
      channel_type: "facebook",
      channel_id: 1,
      post_type: "post",
      caption_text: text,
      media_urls: [],
      publish_mode: "now",
    }),
  });
}

// Start anew, and lose the response to the next post although it is carried out.
await control("POST", "reset", {});
await control("POST", "faults", { kind: "commit_then_drop", endpoint: "create-post", times: 1 });

try {
  await createPost("We are open");
  throw new Error("the response should have been lost");
} catch (error) {
  if (!(error instanceof TypeError)) throw error; // fetch's error for a connection that failed
  console.log("no response: the post may have been published");
}

// A careless program sends it again. The ledger shows what that does.
await createPost("We are open");
const comparison = await control("POST", "compare", { expected: ["We are open"] });
console.log(JSON.stringify(comparison));
const ledger = await control("GET", "ledger");
console.log(JSON.stringify(ledger));
