// sinon-chrome, as its readme uses it.
import chrome from "sinon-chrome";

export const name = "sinon-chrome";
export const version = "3.0.1";
export default chrome;
