/*
 * checkup/progress.h - what is going on, while it is: lines that are redrawn on a terminal, or one
 * line for each way that is done elsewhere.
 */
#ifndef CHECKUP_PROGRESS_H
#define CHECKUP_PROGRESS_H

#include <stdio.h>

#include "checkup/checkup.h"

struct progress {
	FILE *to;
	bool is_terminal;
	unsigned width; /* of the terminal; 0: nobody knows */
	unsigned drawn; /* lines, that are drawn again */
	enum stage stage;
	bool told[WAYS];
	bool is_begun;
};

void progress_init(struct progress *p, FILE *to);
/* For struct checkup_watcher. */
void progress_show(void *arg, const struct checkup_view *view);
/* Takes the lines away. */
void progress_end(struct progress *p);

#endif
