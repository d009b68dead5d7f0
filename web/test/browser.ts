/** What the modules of the pages look for when they are loaded, where there is no browser. */
Object.assign(globalThis, {
  location: new URL("file:///page.html"),
  window: globalThis,
  innerWidth: 1280,
  history: { state: null, pushState: () => undefined, replaceState: () => undefined },
  addEventListener: () => undefined,
  requestAnimationFrame: (draw: () => void) => setTimeout(draw),
  matchMedia: () => ({ matches: false, addEventListener: () => undefined }),
});

/** Waits until all that can go on without a timer or a file has gone on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
}
