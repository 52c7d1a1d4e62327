// Requests to the server that the page came from.

const base = new URL(".", document.baseURI);

export async function get(path) {
  return answer(await fetch(new URL(path, base)));
}

export async function translate(asked, signal) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(new URL("v1/translate", base), { method: "POST", headers, signal, body: JSON.stringify(asked) }));
}

async function answer(response) {
  const values = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(values.error ?? `the server answered ${response.status}`);
  return values;
}
