// Requests to the server that the page came from.

const base = new URL(".", document.baseURI);

export async function get(path) {
  return answer(await fetch(new URL(path, base)));
}

export const translate = (asked, signal) => post("v1/translate", asked, signal);
export const learning = (asked, signal) => post("v1/learning", asked, signal);

async function post(path, asked, signal) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(new URL(path, base), { method: "POST", headers, signal, body: JSON.stringify(asked) }));
}

async function answer(response) {
  const values = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(values.error ?? `the server answered ${response.status}`);
  return values;
}
