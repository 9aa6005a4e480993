// The language of the page, for the texts that the browser writes: amounts and dates.

export const LOCALE = document.documentElement.lang;
