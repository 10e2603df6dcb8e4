/*
 * track.js - the line between browser and gateway, with a train per frame.
 *
 * Decoration only (aria-hidden): the words beside it say the same.  Trains are
 * few at a time, and none run when the reader prefers reduced motion.
 */
const MOST_TRAINS = 14;
const TRAVEL_MS = 420;

export class Track {
	#rail;
	#still = matchMedia('(prefers-reduced-motion: reduce)');

	constructor(rail) {
		this.#rail = rail;
	}

	run(dir) {
		if (this.#still.matches || document.hidden || this.#rail.childElementCount >= MOST_TRAINS)
			return;
		const train = document.createElement('i');
		const ends = ['0%', '100%'];

		train.className = dir;
		this.#rail.append(train);
		train.animate({ left: dir === 'out' ? ends : ends.reverse() }, { duration: TRAVEL_MS, easing: 'ease-in-out' })
			.finished.finally(() => train.remove());
	}
}
