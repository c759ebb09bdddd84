// @webext-core/fake-browser, as its documentation uses it.
import { fakeBrowser } from "@webext-core/fake-browser";

export const name = "@webext-core/fake-browser";
export const version = "2.0.1";
export default () => {
  fakeBrowser.reset();
  return fakeBrowser;
};
