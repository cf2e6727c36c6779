/** What the pieces of a message are painted in; without colour each returns its text as it is. */
export interface Palette {
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly label: (text: string) => string;
  readonly success: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

function escape(on: string, off: string): (text: string) => string {
  return (text) => (text === "" ? "" : `\u001b[${on}m${text}\u001b[${off}m`);
}

const asItIs = (text: string): string => text;

const plainPalette: Palette = {
  error: asItIs,
  warning: asItIs,
  label: asItIs,
  success: asItIs,
  strong: asItIs,
  faint: asItIs,
};

const colourPalette: Palette = {
  error: escape("1;31", "22;39"),
  warning: escape("1;33", "22;39"),
  label: escape("36", "39"),
  success: escape("32", "39"),
  strong: escape("1", "22"),
  faint: escape("2", "22"),
};

export function paletteOf(colour: boolean): Palette {
  return colour ? colourPalette : plainPalette;
}
