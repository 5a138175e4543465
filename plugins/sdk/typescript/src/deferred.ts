/** A promise, and what settles it: Promise.withResolvers, which Node 20 has not. */
export interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
}

/** Make one. */
export function deferred(): Deferred {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
