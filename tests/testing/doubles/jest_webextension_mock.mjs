// jest-webextension-mock, with the functions of Jest that it wants.
import jestMock from "jest-mock";

globalThis.jest = { fn: jestMock.fn.bind(jestMock) };
await import("jest-webextension-mock");

export const name = "jest-webextension-mock";
export const version = "4.2.0";
export default globalThis.chrome;
