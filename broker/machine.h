/* What this process may use of the machine: processors by affinity and cgroup quota, memory by
 * cgroup limit. A container without limits sees the machine. */
#pragma once

#include <stddef.h>

/* At least 1; a quota of 1.5 processors counts as 2. */
unsigned machine_processors(void);
size_t machine_memory(void);
/* Raises the soft limit on open files to the hard one: each connection needs one. */
void machine_raise_file_limit(void);
