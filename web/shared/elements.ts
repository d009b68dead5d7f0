/** What an element of a page is made with; the build takes it into each script that has elements. */
export { Fragment, h } from "preact";
