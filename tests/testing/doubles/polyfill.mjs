// webextension-polyfill over the double that is right: each context's `chrome` is wrapped as in Chromium.
import { createRequire } from "node:module";
import makeContexts from "./right.mjs";

const require = createRequire(import.meta.url);

function wrap(chrome) {
  globalThis.chrome = { ...chrome, runtime: { id: "right", ...chrome.runtime } };
  delete globalThis.browser;
  const path = require.resolve("webextension-polyfill");
  delete require.cache[path];
  return require(path);
}

export const name = "webextension-polyfill over a double that is right";
export const version = "0.12.0";
export default () => {
  const { opener, receiver } = makeContexts();
  return { opener: wrap(opener), receiver: wrap(receiver) };
};
