/** The settings in the local storage of this browser. Knows no setting. */
import { Settings } from './settings.js';

/** Settings that follow other pages of the same browser. */
export function browserSettings(): Settings {
  try {
    const settings = new Settings(localStorage);
    addEventListener('storage', () => settings.readAgain());
    return settings;
  } catch {
    // The browser keeps nothing for this page.
    return new Settings(undefined);
  }
}
