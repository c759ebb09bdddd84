// webextensions-api-fake, as its readme uses it.
import fake from "webextensions-api-fake";

export const name = "webextensions-api-fake";
export const version = "1.3.0";
export default () => (fake.default ?? fake)();
