export const NOT_OBSERVABLE = {};
