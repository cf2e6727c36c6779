/** Device and driver in one program, with nothing in between; runs in a browser, too. */
export { LoopbackTransport, loopback, type LoopbackOptions } from "./loopback-transport.js";
