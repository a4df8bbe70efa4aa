/** Types of node-pty's native layer, which its package does not describe (src/unix/pty.cc of 1.2.0-beta.15). */
declare module 'node-pty/lib/utils.js' {
  /** Loads the compiled part from beside the package's JavaScript. Throws with the paths it tried. */
  export function loadNativeModule(name: 'pty'): { readonly module: NativePty };

  export interface NativePty {
    /**
     * forkpty(3) and execvp(3). @param onExit comes once the child is reaped: `signal` is 0 unless a signal ended it.
     * @param helperPath a small program that macOS needs, unused on Linux.
     */
    fork(
      file: string,
      args: readonly string[],
      environment: readonly string[],
      cwd: string,
      cols: number,
      rows: number,
      uid: number,
      gid: number,
      utf8: boolean,
      helperPath: string,
      onExit: (exitCode: number, signal: number) => void,
    ): { readonly fd: number; readonly pid: number; readonly pty: string };
    resize(fd: number, cols: number, rows: number, pixelWidth: number, pixelHeight: number): void;
  }
}
