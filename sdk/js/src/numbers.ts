/** What can be a number, before anything is sent. The service decides; here only what is surely none is found out. */

const SIGNS = /^\+?[0-9 ().-]{2,32}$/;

/**
 * The text without what nobody sees and typesetters put in: marks of direction, unusual blanks and hyphens.
 * Digits stay as they are, for people in need may write 911 in the digits of any script.
 */
export function tidyNumber(text: string): string {
  return text.replace(/\p{Cf}/gu, '').replace(/\p{Zs}/gu, ' ').replace(/\p{Pd}/gu, '-').trim();
}

/** Why a text is no number that could be dialled, in words; null if it may be one: E.164, national, an extension, an emergency number. */
export function whyNotDialable(text: string): string | null {
  const latin = tidyNumber(text).replace(/\p{Nd}/gu, (digit) => (/[0-9]/.test(digit) ? digit : '1'));
  if (!SIGNS.test(latin)) {
    return 'may hold 2 to 32 digits, spaces and ( ) . - after an optional leading +, and nothing else';
  }
  const digits = latin.replace(/\D/g, '');
  if (digits.length < 2) return 'has no digits that could be a number';
  if (latin.startsWith('+') && !/^[1-9][0-9]{6,14}$/.test(digits)) return 'has 7 to 15 digits after the +, the first not 0';
  return null;
}

/** Whether a text may be sent as `dialString`. */
export function isDialable(text: string): boolean {
  return whyNotDialable(text) === null;
}
