/* What the parts of the demonstration program have in common: its version, and the class
 * that its DLL holds. */
#ifndef FVM_DEMO_VERSION_H
#define FVM_DEMO_VERSION_H

#include <windows.h>
#include <unknwn.h>

/* The build names it: -DDEMO_VERSION=1 */
#ifndef DEMO_VERSION
#define DEMO_VERSION 0
#endif

/* {6D0E1B7C-3C5A-4F0B-9D57-0F2B5A7C1E01} */
#define DEMO_CLSID_TEXT L"{6D0E1B7C-3C5A-4F0B-9D57-0F2B5A7C1E01}"
static const GUID demo_clsid = {
    0x6d0e1b7c, 0x3c5a, 0x4f0b, {0x9d, 0x57, 0x0f, 0x2b, 0x5a, 0x7c, 0x1e, 0x01}};

/* {6D0E1B7C-3C5A-4F0B-9D57-0F2B5A7C1E02}: IUnknown and one method more */
static const GUID demo_iid = {
    0x6d0e1b7c, 0x3c5a, 0x4f0b, {0x9d, 0x57, 0x0f, 0x2b, 0x5a, 0x7c, 0x1e, 0x02}};

typedef struct demo demo;

struct demo_vtable {
    HRESULT(STDMETHODCALLTYPE *QueryInterface)(demo *self, REFIID iid, void **out);
    ULONG(STDMETHODCALLTYPE *AddRef)(demo *self);
    ULONG(STDMETHODCALLTYPE *Release)(demo *self);
    /* Stores the version of the DLL that made the object. */
    HRESULT(STDMETHODCALLTYPE *Version)(demo *self, LONG *version);
};

struct demo {
    const struct demo_vtable *vtable;
};

#endif
