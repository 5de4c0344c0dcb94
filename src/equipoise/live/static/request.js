/** Requests to our own server; those that change something carry the header token of the page. */

const TOKEN = document.querySelector('meta[name="token"]')?.content ?? "";

/** What the server answered instead of what was asked for. */
export class RequestFailed extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * JSON from an address.
 * @param {string} address
 * @param {AbortSignal} [signal]
 */
export async function getJson(address, signal) {
  return answered(await fetched(address, { signal }));
}

/** JSON sent to an address, and its answer. */
export async function postJson(address, content = {}) {
  return answered(
    await fetched(address, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Equipoise-Token": TOKEN },
      body: JSON.stringify(content),
    }),
  );
}

async function fetched(address, options) {
  try {
    return await fetch(address, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestFailed("The server does not answer.", 0);
  }
}

async function answered(response) {
  const text = await response.text();
  let content = null;
  try {
    content = JSON.parse(text);
  } catch {
    content = null;
  }
  if (!response.ok) throw new RequestFailed(content?.error ?? text.trim() ?? response.statusText, response.status);
  return content;
}
