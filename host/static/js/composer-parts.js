// Small things every part of the composer uses.

/** Return a copy of what the page holds as `<template data-template=…>` below *scope*. */
export function clone(scope, name) {
  return scope.querySelector(`template[data-template="${name}"]`).content.firstElementChild.cloneNode(true);
}

/** Return how many characters a text has, as the desk counts them. */
export function characters(text) {
  return [...text].length;
}

/** Return *template* with `{name}` replaced by the values given. */
export function fill(template, values) {
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), template);
}
