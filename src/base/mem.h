/*
 * base/mem.h - the one door to the heap, so that a test can make any
 * allocation fail.
 *
 * All functions return NULL when memory is out; nothing here aborts. Memory
 * from here is returned by mem_free() alone. A size of 0 gives memory of no
 * use, not NULL, so NULL always means failure.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *p, size_t size); /* on failure p is as it was */
/* As mem_realloc() to count * size bytes; NULL also if that is more than a size_t can say. */
void *mem_realloc_array(void *p, size_t count, size_t size);
void mem_free(void *p); /* NULL is fine */
char *mem_strdup(const char *s);
/* A NUL-terminated copy of n bytes. */
char *mem_strndup(const char *s, size_t n);

/* For tests: the nth allocation from now on fails (1 is the next one); 0 turns it off. Only the
 * one allocation fails. Not for use while other threads allocate. */
void mem_fail_at(unsigned long nth);
/* For tests: whether the failure asked for has happened. */
int mem_failed(void);

#endif
