/* A stand-in for NVIDIA's libnvidia-ml.so.1, so that tests meet the real Python binding without a GPU.
 *
 *   cc -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 [-DOLD_DRIVER | -DANCIENT_DRIVER] fake_nvml.c -o libnvidia-ml.so.1
 *
 * What it plays stands in FAKE_NVML, read anew at every call: "gpus=8,mig=1,lost=2".
 *   init, count      the code these calls answer with           gpus         how many there are (1)
 *   lost, kept, unplugged    the GPU that fell off its bus, that is kept from us, that has no power
 *   unified          memory: 1 is not supported, 2 is a total of 0
 *   refused          whole GPUs tell neither memory nor load    mixed        every second GPU is of another model
 *   mig, migs        GPUs in MIG mode (from the first on), instances of each (2)
 *   migs_refused     the instances are there and refused        wsl          no power, no processes
 *   used             GiB in use on each GPU (10)                quiet        neither temperature nor power
 *   procs, pid       processes of each GPU, the first pid       unsized      their memory is not told
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, INSUFFICIENT_POWER = 8,
       GPU_IS_LOST = 15, VERSION_MISMATCH = 25 };
enum { MOST_GPUS = 16, MOST_PARTS = 7 };
#define GIB (1ULL << 30)

typedef struct { unsigned gpu; int part; char uuid[48]; } Device;  /* part: -1 is the whole GPU */
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } Process;

static Device wholes[MOST_GPUS], parts[MOST_GPUS][MOST_PARTS];

static int option(const char *name, int otherwise) {
    const char *at = getenv("FAKE_NVML");
    size_t length = strlen(name);
    while (at && *at) {
        if (!strncmp(at, name, length) && at[length] == '=') return atoi(at + length + 1);
        at = strchr(at, ',');
        if (at) at++;
    }
    return otherwise;
}

static unsigned gpu_count(void) { return (unsigned) option("gpus", 1); }
static int is_divided(unsigned gpu) { return (int) gpu < option("mig", 0); }
static int is_lost(const Device *device) { return option("lost", -1) == (int) device->gpu; }
static int is_whole(const Device *device) { return device->part < 0; }

static int start(void) {
    for (unsigned gpu = 0; gpu < MOST_GPUS; gpu++) {
        wholes[gpu] = (Device) {gpu, -1, ""};
        snprintf(wholes[gpu].uuid, sizeof wholes[gpu].uuid, "GPU-%08x-1111-4222-8333-%012x", 0xa0000000u + gpu, gpu);
        for (int part = 0; part < MOST_PARTS; part++) {
            Device *made = &parts[gpu][part];
            *made = (Device) {gpu, part, ""};
            snprintf(made->uuid, sizeof made->uuid, "MIG-%08x-4444-5555-8666-%012x", 0xb0000000u + 16 * gpu + part, part);
        }
    }
    return option("init", SUCCESS);
}

#ifndef ANCIENT_DRIVER
int nvmlInitWithFlags(unsigned flags) { (void) flags; return start(); }
#endif
int nvmlInit_v2(void) { return start(); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void) code; return "told by the stand-in"; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
#ifdef OLD_DRIVER
    snprintf(text, length, "450.80.02");
#else
    snprintf(text, length, "580.95.05");
#endif
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
#ifdef OLD_DRIVER
    *version = 11000;
#else
    *version = 13010;
#endif
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = gpu_count();
    return option("count", SUCCESS);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    if (index >= gpu_count()) return INVALID_ARGUMENT;
    if (option("kept", -1) == (int) index) return NO_PERMISSION;
    if (option("unplugged", -1) == (int) index) return INSUFFICIENT_POWER;
    if (option("lost", -1) == (int) index && option("lost_handle", 1)) return GPU_IS_LOST;
    *device = &wholes[index];
    return SUCCESS;
}

int nvmlDeviceGetUUID(Device *device, char *text, unsigned length) {
    if (is_lost(device)) return GPU_IS_LOST;
    snprintf(text, length, "%s", device->uuid);
    return SUCCESS;
}

int nvmlDeviceGetName(Device *device, char *text, unsigned length) {
    if (is_lost(device)) return GPU_IS_LOST;
    const char *model = option("unified", 0) ? "NVIDIA GB10" : "NVIDIA H100 80GB HBM3";
    if (option("mixed", 0) && device->gpu % 2) model = "NVIDIA A10G";
    snprintf(text, length, is_whole(device) ? "%s" : "%s MIG 1g.20gb", model);
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(Device *device, int *major, int *minor) {
    if (is_lost(device)) return GPU_IS_LOST;
    *major = option("capability", 90) / 10;
    *minor = option("capability", 90) % 10;
    return SUCCESS;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static int memory_of(const Device *device, Memory2 *memory) {
    if (is_lost(device)) return GPU_IS_LOST;
    if (option("unified", 0) == 1) return NOT_SUPPORTED;
    if (option("refused", 0) && is_whole(device)) return NO_PERMISSION;
    memory->total = option("unified", 0) ? 0 : is_whole(device) ? 80 * GIB : 20 * GIB;
    memory->reserved = memory->total ? GIB / 2 : 0;
    memory->used = memory->total ? (unsigned long long) option("used", 10) * GIB : 0;
    memory->free = memory->total - memory->reserved - memory->used;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory) {
    Memory2 full = {0, 0, 0, 0, 0};
    int code = memory_of(device, &full);
    *memory = (Memory) {full.total, full.free, full.used + full.reserved};
    return code;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetMemoryInfo_v2(Device *device, Memory2 *memory) {
    return memory->version == (sizeof(Memory2) | 2u << 24) ? memory_of(device, memory) : VERSION_MISMATCH;
}
#endif

/* --- gauges ------------------------------------------------------------------------------------------------------ */

int nvmlDeviceGetUtilizationRates(Device *device, Utilization *load) {
    if (is_lost(device)) return GPU_IS_LOST;
    if (option("refused", 0)) return NO_PERMISSION;
    if (is_divided(device->gpu)) return NOT_SUPPORTED;
    *load = (Utilization) {(unsigned) option("load", 87), 40};
    return SUCCESS;
}

int nvmlDeviceGetTemperature(Device *device, int sensor, unsigned *degrees) {
    if (is_lost(device)) return GPU_IS_LOST;
    if (sensor != 0 || !is_whole(device)) return INVALID_ARGUMENT;
    *degrees = 63;
    return option("quiet", 0) ? NOT_SUPPORTED : SUCCESS;
}

static int power_of(const Device *device, unsigned told, unsigned *milliwatts) {
    if (is_lost(device)) return GPU_IS_LOST;
    if (!is_whole(device) || option("wsl", 0) || option("quiet", 0)) return NOT_SUPPORTED;
    *milliwatts = told;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(Device *device, unsigned *milliwatts) { return power_of(device, 412345, milliwatts); }
int nvmlDeviceGetEnforcedPowerLimit(Device *device, unsigned *milliwatts) { return power_of(device, 700000, milliwatts); }

/* --- processes --------------------------------------------------------------------------------------------------- */

static int list_processes(const Device *device, unsigned *count, Process *list) {
    if (is_lost(device)) return GPU_IS_LOST;
    if (option("wsl", 0)) return NOT_SUPPORTED;
    if (option("refused", 0) && is_whole(device)) return NO_PERMISSION;
    unsigned present = (unsigned) option("procs", 0), room = *count;
    *count = present;
    if (!present) return SUCCESS;
    if (room < present) return INSUFFICIENT_SIZE;
    for (unsigned number = 0; number < present; number++)
        list[number] = (Process) {(unsigned) option("pid", 1) + number, option("unsized", 0) ? ~0ULL : 9 * GIB, ~0u, ~0u};
    return SUCCESS;
}

#ifdef OLD_DRIVER
int nvmlDeviceGetComputeRunningProcesses(Device *device, unsigned *count, Process *list) {
    return list_processes(device, count, list);
}
#else
int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, Process *list) {
    return list_processes(device, count, list);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Device *device, unsigned *count, Process *list) {
    (void) list;
    *count = 0;
    return option("wsl", 0) ? NOT_SUPPORTED : is_lost(device) ? GPU_IS_LOST : SUCCESS;
}
#endif

/* --- MIG --------------------------------------------------------------------------------------------------------- */

#ifndef OLD_DRIVER
int nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
    *current = *pending = (unsigned) is_divided(device->gpu);
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *count) {
    *count = is_divided(device->gpu) ? MOST_PARTS : 0;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned index, Device **found) {
    if (index >= (unsigned) option("migs", 2) || index >= MOST_PARTS) return NOT_FOUND;
    if (option("migs_refused", 0)) return NO_PERMISSION;
    *found = &parts[device->gpu][index];
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(Device *device, unsigned *id) {
    *id = (unsigned) device->part + 7;
    return is_whole(device) ? INVALID_ARGUMENT : SUCCESS;
}

int nvmlDeviceGetComputeInstanceId(Device *device, unsigned *id) {
    *id = 0;
    return is_whole(device) ? INVALID_ARGUMENT : SUCCESS;
}
#endif
