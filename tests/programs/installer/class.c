/* democlass.dll: a COM class in a DLL that regsvr32 can register and take away again.
 *
 * One static object serves all clients: the class has no state. The DLL counts references
 * only to answer DllCanUnloadNow. */
#include "version.h"
#include <olectl.h>
#include <wchar.h>

#define CLASS_KEY  L"Software\\Classes\\CLSID\\" DEMO_CLSID_TEXT
#define PROGID     L"FvmDemo.Class"
#define PROGID_KEY L"Software\\Classes\\" PROGID

STDAPI DllRegisterServer(void);
STDAPI DllUnregisterServer(void);

static HMODULE self_module;
static LONG references;

static HRESULT STDMETHODCALLTYPE object_query(demo *self, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualGUID(iid, &IID_IUnknown) && !IsEqualGUID(iid, &demo_iid)) return E_NOINTERFACE;
    *out = self;
    self->vtable->AddRef(self);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE object_add_ref(demo *self)
{
    (void)self;
    return (ULONG)InterlockedIncrement(&references);
}

static ULONG STDMETHODCALLTYPE object_release(demo *self)
{
    (void)self;
    return (ULONG)InterlockedDecrement(&references);
}

static HRESULT STDMETHODCALLTYPE object_version(demo *self, LONG *version)
{
    (void)self;
    *version = DEMO_VERSION;
    return S_OK;
}

static const struct demo_vtable object_vtable = {
    object_query,
    object_add_ref,
    object_release,
    object_version,
};
static demo the_object = {&object_vtable};

static HRESULT STDMETHODCALLTYPE factory_query(IClassFactory *self, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualGUID(iid, &IID_IUnknown) && !IsEqualGUID(iid, &IID_IClassFactory))
        return E_NOINTERFACE;
    *out = self;
    InterlockedIncrement(&references);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE factory_add_ref(IClassFactory *self)
{
    (void)self;
    return (ULONG)InterlockedIncrement(&references);
}

static ULONG STDMETHODCALLTYPE factory_release(IClassFactory *self)
{
    (void)self;
    return (ULONG)InterlockedDecrement(&references);
}

static HRESULT STDMETHODCALLTYPE factory_create(IClassFactory *self, IUnknown *outer, REFIID iid,
                                                void **out)
{
    (void)self;
    *out = NULL;
    return outer ? CLASS_E_NOAGGREGATION : object_query(&the_object, iid, out);
}

static HRESULT STDMETHODCALLTYPE factory_lock(IClassFactory *self, BOOL lock)
{
    (void)self;
    if (lock)
        InterlockedIncrement(&references);
    else
        InterlockedDecrement(&references);
    return S_OK;
}

static IClassFactoryVtbl factory_vtable = {
    factory_query, factory_add_ref, factory_release, factory_create, factory_lock,
};
static IClassFactory the_factory = {&factory_vtable};

STDAPI DllGetClassObject(REFCLSID class_id, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualGUID(class_id, &demo_clsid)) return CLASS_E_CLASSNOTAVAILABLE;
    return factory_query(&the_factory, iid, out);
}

STDAPI DllCanUnloadNow(void)
{
    return references ? S_FALSE : S_OK;
}

/* Creates the key and gives it a value; value NULL names the key's default value. */
static LSTATUS put(const WCHAR *key, const WCHAR *value, const WCHAR *text)
{
    DWORD bytes = (DWORD)((wcslen(text) + 1) * sizeof(WCHAR));

    return RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, value, REG_SZ, text, bytes);
}

STDAPI DllRegisterServer(void)
{
    WCHAR path[MAX_PATH];
    DWORD length = GetModuleFileNameW(self_module, path, MAX_PATH);

    if (!length || length == MAX_PATH) return SELFREG_E_CLASS;
    if (put(CLASS_KEY, NULL, L"FVM demonstration class") ||
        put(CLASS_KEY L"\\ProgID", NULL, PROGID) ||
        put(CLASS_KEY L"\\InprocServer32", NULL, path) ||
        put(CLASS_KEY L"\\InprocServer32", L"ThreadingModel", L"Both") ||
        put(PROGID_KEY L"\\CLSID", NULL, DEMO_CLSID_TEXT)) {
        DllUnregisterServer();
        return SELFREG_E_CLASS;
    }
    return S_OK;
}

STDAPI DllUnregisterServer(void)
{
    LSTATUS class_gone = RegDeleteTreeW(HKEY_LOCAL_MACHINE, CLASS_KEY);
    LSTATUS progid_gone = RegDeleteTreeW(HKEY_LOCAL_MACHINE, PROGID_KEY);

    /* what is not there needs not be taken away */
    if ((class_gone && class_gone != ERROR_FILE_NOT_FOUND) ||
        (progid_gone && progid_gone != ERROR_FILE_NOT_FOUND))
        return SELFREG_E_CLASS;
    return S_OK;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved);

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) {
        self_module = module;
        DisableThreadLibraryCalls(module);
    }
    return TRUE;
}
