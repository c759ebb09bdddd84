// jest-chrome, with the functions of Jest that it wants.
import { createRequire } from "node:module";
import jestMock from "jest-mock";

globalThis.jest = { fn: jestMock.fn.bind(jestMock) };

export const name = "jest-chrome";
export const version = "0.8.0";
export default createRequire(import.meta.url)("jest-chrome").chrome;
