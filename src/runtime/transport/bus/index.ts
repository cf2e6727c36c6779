export { RegisterWindow, type AccessWidth, type AddressSpace } from "./address-space.js";
