/*
 * bench/load/fail.h - the end of a measurement that is worth nothing.
 */
#ifndef LOAD_FAIL_H
#define LOAD_FAIL_H

/* Says it on standard error and exits with status 2; what errno says is up to the caller. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory or the end. */
void *must(void *memory);

#endif
