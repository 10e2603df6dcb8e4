/*
 * theme.js - light or dark, decided before the first paint.
 *
 * Not a module, and loaded in the head: a module would run after the page was
 * painted once in the wrong colours.  The system's preference holds until the
 * button is pressed; from then on the choice is kept in localStorage.
 */
(function () {
	'use strict';

	var root = document.documentElement;
	var dark = window.matchMedia('(prefers-color-scheme: dark)');

	function stored() {
		try {
			return localStorage.getItem('theme');
		} catch (e) {
			return null; /* storage may be forbidden: the page works without */
		}
	}

	function current() {
		return root.dataset.theme || (dark.matches ? 'dark' : 'light');
	}

	function label(button) {
		button.setAttribute('aria-pressed', String(current() === 'dark'));
	}

	if (stored() === 'light' || stored() === 'dark')
		root.dataset.theme = stored();

	document.addEventListener('DOMContentLoaded', function () {
		var button = document.getElementById('theme');

		label(button);
		button.addEventListener('click', function () {
			root.dataset.theme = current() === 'dark' ? 'light' : 'dark';
			label(button);
			try {
				localStorage.setItem('theme', root.dataset.theme);
			} catch (e) {
				/* as above */
			}
		});
		dark.addEventListener('change', function () { label(button); });
	});
}());
