// Requests to the server that the page came from.

const base = new URL(".", document.baseURI);

export async function get(path) {
  return answer(await fetch(new URL(path, base)));
}

export const translate = (asked, signal) => post("v1/translate", asked, signal);
export const learning = (asked, signal) => post("v1/learning", asked, signal);

// Translates a file as a whole; returns its content, as a Blob, and what the user should know about it.
export async function translateWhole(file, run, signal) {
  const form = new FormData();
  form.append("source", run.source);
  form.append("target", run.target);
  form.append("file", file);
  const { translatedFileUrl, notes } = await answer(await fetch(new URL("translate_file", base), { method: "POST", body: form, signal }));
  const response = await fetch(new URL(`download_file/${translatedFileUrl.split("/").pop()}`, base), { signal });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return { content: await response.blob(), notes };
}

async function post(path, asked, signal) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(new URL(path, base), { method: "POST", headers, signal, body: JSON.stringify(asked) }));
}

async function answer(response) {
  const values = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(values.error ?? `the server answered ${response.status}`);
  return values;
}
