/** The dialog with all settings. Each holds at once. Knows not what they do. */
import { showDialog } from '../dialogs.js';
import { element } from '../element.js';
import { MAX_FONT_SIZE, MIN_FONT_SIZE, type Settings, type SettingValues } from '../settings.js';
import { changeFontSize } from './appearance.js';

/** Settings that are one of a few words. */
type WordSetting = 'theme' | 'bell' | 'renderer' | 'keyBar';

/** Shows it. */
export async function showAppearance(settings: Settings): Promise<void> {
  await showDialog({
    title: 'Appearance',
    content: [
      element('div', { class: 'settings' }, [
        choice(settings, 'theme', 'Colours', {
          system: 'System',
          light: 'Light',
          dark: 'Dark',
          contrast: 'High contrast',
        }),
        fontSize(settings),
        choice(settings, 'bell', 'Bell', { flash: 'Flash', sound: 'Sound', none: 'Mark on the tab only' }),
        choice(settings, 'keyBar', 'Key bar', { auto: 'On touch screens', on: 'Always', off: 'Never' }),
        choice(settings, 'renderer', 'Drawing', { auto: 'As suits the machine', webgl: 'WebGL', dom: 'Without WebGL' }),
      ]),
    ],
    buttons: { close: 'Close' },
  });
}

function choice<N extends WordSetting>(
  settings: Settings,
  name: N,
  legend: string,
  labels: Readonly<Record<SettingValues[N], string>>,
): HTMLElement {
  const words = Object.keys(labels) as SettingValues[N][];
  const options = words.map((word) => {
    const radio = element('input', {
      type: 'radio',
      name: `setting-${name}`,
      value: word,
      checked: settings.get(name) === word,
    });
    radio.addEventListener('change', () => settings.set(name, word));
    return element('label', {}, [radio, labels[word]]);
  });
  return element('fieldset', {}, [element('legend', {}, [legend]), ...options]);
}

function fontSize(settings: Settings): HTMLElement {
  const field = element('input', {
    type: 'number',
    min: MIN_FONT_SIZE,
    max: MAX_FONT_SIZE,
    value: settings.get('fontSize'),
    inputmode: 'numeric',
  });
  field.addEventListener('change', () => {
    if (field.value !== '') changeFontSize(settings, field.valueAsNumber);
    field.value = String(settings.get('fontSize'));
  });
  return element('label', { class: 'field' }, ['Size of letters, in pixels', field]);
}
