/*
 * tests/fuzz/must.h - what must hold whatever the input; a broken promise says which it was.
 */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(truth)                                                                                \
	do {                                                                                       \
		if (!(truth)) {                                                                    \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #truth);     \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
