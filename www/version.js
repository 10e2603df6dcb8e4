/*
 * version.js - says on the start page which version of sockjsd serves it.
 *
 * The server tells by /version.txt; where the pages are served by something else,
 * nothing is said.
 */
const VERSION = /^\d+\.\d+\S*$/;

async function showVersion(place) {
	const response = await fetch('version.txt');
	const text = (await response.text()).trim();

	if (!response.ok || !VERSION.test(text))
		return;
	place.textContent = `This is sockjsd ${text}.`;
	place.hidden = false;
}

showVersion(document.getElementById('version')).catch(() => {
	/* no server any more: the page is as good without */
});
