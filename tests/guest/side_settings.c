/* Settings that win32u keeps in the registry by itself: what a program sets, it and later
 * programs see; what stands in the registry, programs find in the settings.
 *
 * usage: side_settings DIRECTORY get|keep|temporary|registry|fonts FILE|display
 *   get        prints all settings
 *   keep       changes all that can be set, to be kept, and prints them
 *   temporary  changes some, not to be kept, and prints all
 *   registry   writes some into the registry (for the next program to see)
 *   fonts      makes a font of the file known, and prints whether there is such a font
 *   display    changes the display's mode and colours, and says what came of it: for a VM */
#include "test.h"
#include <wingdi.h>

struct setting {
    const char *name;
    UINT get, set;
    enum { BY_VALUE, BY_POINTER } how; /* how a new value is passed */
    UINT value;
};

#define SETTING(name, how, value)                                                                  \
    {                                                                                              \
#name, SPI_GET##name, SPI_SET##name, how, value                                            \
    }
static const struct setting settings[] = {
    SETTING(BEEP, BY_VALUE, FALSE),
    SETTING(BORDER, BY_VALUE, 3),
    SETTING(KEYBOARDSPEED, BY_VALUE, 11),
    SETTING(SCREENSAVETIMEOUT, BY_VALUE, 777),
    SETTING(SCREENSAVEACTIVE, BY_VALUE, TRUE),
    SETTING(KEYBOARDDELAY, BY_VALUE, 3),
    SETTING(ICONTITLEWRAP, BY_VALUE, FALSE),
    SETTING(MENUDROPALIGNMENT, BY_VALUE, TRUE),
    SETTING(DRAGFULLWINDOWS, BY_VALUE, TRUE),
    SETTING(SHOWSOUNDS, BY_VALUE, TRUE),
    SETTING(KEYBOARDPREF, BY_VALUE, FALSE),
    SETTING(SCREENREADER, BY_VALUE, TRUE),
    SETTING(FONTSMOOTHING, BY_VALUE, 1),
    SETTING(LOWPOWERACTIVE, BY_VALUE, TRUE),
    SETTING(POWEROFFACTIVE, BY_VALUE, TRUE),
    SETTING(MOUSETRAILS, BY_VALUE, 5),
    SETTING(SNAPTODEFBUTTON, BY_VALUE, TRUE),
    SETTING(MOUSEHOVERWIDTH, BY_VALUE, 9),
    SETTING(MOUSEHOVERHEIGHT, BY_VALUE, 10),
    SETTING(MOUSEHOVERTIME, BY_VALUE, 411),
    SETTING(WHEELSCROLLLINES, BY_VALUE, 8),
    SETTING(WHEELSCROLLCHARS, BY_VALUE, 7),
    SETTING(MENUSHOWDELAY, BY_VALUE, 123),
    SETTING(MOUSESPEED, BY_POINTER, 14),
    SETTING(ACTIVEWINDOWTRACKING, BY_POINTER, 1),
    SETTING(MENUANIMATION, BY_POINTER, 1),
    SETTING(COMBOBOXANIMATION, BY_POINTER, 1),
    SETTING(LISTBOXSMOOTHSCROLLING, BY_POINTER, 1),
    SETTING(GRADIENTCAPTIONS, BY_POINTER, 0),
    SETTING(KEYBOARDCUES, BY_POINTER, 1),
    SETTING(HOTTRACKING, BY_POINTER, 1),
    SETTING(TOOLTIPANIMATION, BY_POINTER, 1),
    SETTING(CURSORSHADOW, BY_POINTER, 1),
    SETTING(MOUSESONAR, BY_POINTER, 1),
    SETTING(MOUSEVANISH, BY_POINTER, 1),
    SETTING(FLATMENU, BY_POINTER, 1),
    SETTING(DROPSHADOW, BY_POINTER, 1),
    SETTING(UIEFFECTS, BY_POINTER, 1),
    SETTING(CLEARTYPE, BY_POINTER, 1),
    SETTING(FOREGROUNDLOCKTIMEOUT, BY_POINTER, 4321),
    SETTING(FOREGROUNDFLASHCOUNT, BY_POINTER, 6),
    SETTING(CARETWIDTH, BY_POINTER, 4),
    SETTING(MOUSECLICKLOCKTIME, BY_POINTER, 1300),
    SETTING(FONTSMOOTHINGTYPE, BY_POINTER, 2),
    SETTING(FONTSMOOTHINGCONTRAST, BY_POINTER, 1500),
    SETTING(FOCUSBORDERWIDTH, BY_POINTER, 5),
    SETTING(FOCUSBORDERHEIGHT, BY_POINTER, 6),
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static void say_value(HKEY root, const char *key, const char *name)
{
    BYTE data[256];
    DWORD type = 0, size = sizeof data;
    LONG error;
    HKEY handle;

    error = RegOpenKeyExA(root, key, 0, KEY_READ, &handle);
    if (!error) {
        error = RegQueryValueExA(handle, name, NULL, &type, data, &size);
        RegCloseKey(handle);
    }
    if (error)
        t_say("%s\\%s: error %ld", key, name, error);
    else if (type == REG_SZ)
        t_say("%s\\%s = %s", key, name, (char *)data);
    else
        t_say("%s\\%s: type %lu, %lu bytes", key, name, type, size);
}

/* What a window is drawn with. */
static COLORREF drawn(int index)
{
    HDC dc = CreateCompatibleDC(NULL);
    BITMAPINFO info = {{sizeof info.bmiHeader, 4, 4, 1, 32, BI_RGB}};
    void *bits;
    HBITMAP bitmap = CreateDIBSection(dc, &info, DIB_RGB_COLORS, &bits, NULL, 0);
    RECT all = {0, 0, 4, 4};
    COLORREF color;

    SelectObject(dc, bitmap);
    FillRect(dc, &all, GetSysColorBrush(index));
    color = GetPixel(dc, 1, 1);
    DeleteDC(dc);
    DeleteObject(bitmap);
    return color;
}

static void say_all(void)
{
    static const int metrics[] = {
        SM_CXVSCROLL,   SM_CYCAPTION,         SM_CXFRAME,    SM_CYMENU,
        SM_CXDOUBLECLK, SM_CXICONSPACING,     SM_SWAPBUTTON, SM_CXMINIMIZED,
        SM_CYSMCAPTION, SM_MENUDROPALIGNMENT, SM_CXDRAG};
    static const char *const desktop[] = {"WheelScrollLines",  "FontSmoothing",
                                          "ScreenSaveTimeOut", "UserPreferencesMask",
                                          "DragWidth",         "ScreenSaveActive"};
    NONCLIENTMETRICSA metric = {.cbSize = sizeof metric};
    ICONMETRICSA icons = {.cbSize = sizeof icons};
    MINIMIZEDMETRICS minimized = {.cbSize = sizeof minimized};
    LOGFONTA font;
    char path[MAX_PATH] = "";
    int mouse[3] = {0};

    t_part("settings");
    for (size_t i = 0; i < SETTINGS; i++) {
        UINT value = 0xdddddddd;
        BOOL ok = SystemParametersInfoA(settings[i].get, 0, &value, 0);
        t_say("%s: %d %#x", settings[i].name, ok, value);
    }
    t_say("mouse: %d %d %d %d", SystemParametersInfoA(SPI_GETMOUSE, 0, mouse, 0), mouse[0],
          mouse[1], mouse[2]);
    t_say("double click: %u", GetDoubleClickTime());
    t_say("wallpaper: %d %s", SystemParametersInfoA(SPI_GETDESKWALLPAPER, sizeof path, path, 0),
          path);
    t_say("icon title: %d %s %ld",
          SystemParametersInfoA(SPI_GETICONTITLELOGFONT, sizeof font, &font, 0), font.lfFaceName,
          font.lfHeight);
    t_say("windows: %d %d %d %d %d", SystemParametersInfoA(SPI_GETNONCLIENTMETRICS, 0, &metric, 0),
          metric.iBorderWidth, metric.iScrollWidth, metric.iCaptionHeight, metric.iMenuHeight);
    t_say("fonts: %s %ld, %s %ld", metric.lfCaptionFont.lfFaceName, metric.lfCaptionFont.lfHeight,
          metric.lfMenuFont.lfFaceName, metric.lfMenuFont.lfHeight);
    t_say("icons: %d %d %d", SystemParametersInfoA(SPI_GETICONMETRICS, sizeof icons, &icons, 0),
          icons.iHorzSpacing, icons.iVertSpacing);
    t_say("minimized: %d %d %d",
          SystemParametersInfoA(SPI_GETMINIMIZEDMETRICS, sizeof minimized, &minimized, 0),
          minimized.iWidth, minimized.iArrange);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        t_say("metric %d: %d", metrics[i], GetSystemMetrics(metrics[i]));
    t_part("colours");
    for (int i = 0; i <= COLOR_MENUBAR; i++)
        t_say("colour %d: %06lx, drawn %06lx", i, GetSysColor(i), drawn(i));
    t_part("registry");
    for (size_t i = 0; i < sizeof desktop / sizeof desktop[0]; i++)
        say_value(HKEY_CURRENT_USER, "Control Panel\\Desktop", desktop[i]);
    say_value(HKEY_CURRENT_USER, "Control Panel\\Mouse", "DoubleClickSpeed");
    say_value(HKEY_CURRENT_USER, "Control Panel\\Keyboard", "KeyboardSpeed");
    say_value(HKEY_CURRENT_USER, "Control Panel\\Colors", "ButtonFace");
    say_value(HKEY_CURRENT_USER, "Control Panel\\Desktop\\WindowMetrics", "CaptionHeight");
    say_value(HKEY_CURRENT_USER, "Control Panel\\Desktop\\WindowMetrics", "CaptionFont");
    say_value(HKEY_CURRENT_USER, "Keyboard Layout\\Preload", "1");
}

static void set_colors(int first, int count)
{
    for (int i = first; i < first + count; i++) {
        COLORREF color = RGB(i * 7, 255 - i, i * 3);
        if (!SetSysColors(1, &i, &color)) t_say("SetSysColors %d fails", i);
    }
}

static void keep(UINT how)
{
    NONCLIENTMETRICSA metric = {.cbSize = sizeof metric};
    ICONMETRICSA icons = {.cbSize = sizeof icons};
    MINIMIZEDMETRICS minimized = {.cbSize = sizeof minimized};
    int mouse[3] = {4, 5, 1};

    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        BOOL ok = s->how == BY_VALUE
                      ? SystemParametersInfoA(s->set, s->value, NULL, how)
                      : SystemParametersInfoA(s->set, 0, (void *)(uintptr_t)s->value, how);
        t_say("set %s: %d", s->name, ok);
    }
    t_say("set mouse: %d", SystemParametersInfoA(SPI_SETMOUSE, 0, mouse, how));
    t_say("set double click: %d", SystemParametersInfoA(SPI_SETDOUBLECLICKTIME, 333, NULL, how));
    t_say("set double click width: %d",
          SystemParametersInfoA(SPI_SETDOUBLECLKWIDTH, 12, NULL, how));
    t_say("set buttons: %d", SystemParametersInfoA(SPI_SETMOUSEBUTTONSWAP, TRUE, NULL, how));
    t_say("set drag width: %d", SystemParametersInfoA(SPI_SETDRAGWIDTH, 13, NULL, how));
    t_say("set wallpaper: %d",
          SystemParametersInfoA(SPI_SETDESKWALLPAPER, 0, (void *)"C:\\wall.bmp", how));
    SystemParametersInfoA(SPI_GETNONCLIENTMETRICS, 0, &metric, 0);
    metric.iCaptionHeight = 41;
    metric.iScrollWidth = 29;
    metric.lfMenuFont.lfHeight = -19;
    t_say("set windows: %d", SystemParametersInfoA(SPI_SETNONCLIENTMETRICS, 0, &metric, how));
    SystemParametersInfoA(SPI_GETICONMETRICS, sizeof icons, &icons, 0);
    icons.iHorzSpacing = 99;
    t_say("set icons: %d", SystemParametersInfoA(SPI_SETICONMETRICS, sizeof icons, &icons, how));
    SystemParametersInfoA(SPI_GETMINIMIZEDMETRICS, sizeof minimized, &minimized, 0);
    minimized.iWidth = 177;
    t_say("set minimized: %d",
          SystemParametersInfoA(SPI_SETMINIMIZEDMETRICS, sizeof minimized, &minimized, how));
}

static void temporary(void)
{
    t_say("set: %d %d %d", SystemParametersInfoA(SPI_SETWHEELSCROLLLINES, 21, NULL, 0),
          SystemParametersInfoA(SPI_SETMENUSHOWDELAY, 77, NULL, 0), SetDoubleClickTime(222));
    t_say("set by pointer: %d",
          SystemParametersInfoA(SPI_SETCARETWIDTH, 0, (void *)(uintptr_t)9, 0));
    set_colors(4, 20);
}

static void registry(void)
{
    static const struct {
        const char *key, *name, *value;
    } values[] = {
        {"Control Panel\\Colors", "ActiveTitle", "1 2 3"},
        {"Control Panel\\Desktop", "WheelScrollLines", "5"},
        {"Control Panel\\Desktop", "MenuShowDelay", "88"},
        {"Control Panel\\Desktop\\WindowMetrics", "CaptionHeight", "-600"},
        {"Control Panel\\Mouse", "DoubleClickSpeed", "444"},
    };
    HKEY key;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        LONG error = RegCreateKeyExA(HKEY_CURRENT_USER, values[i].key, 0, NULL, 0, KEY_WRITE, NULL,
                                     &key, NULL);
        if (!error) {
            error = RegSetValueExA(key, values[i].name, 0, REG_SZ, (const BYTE *)values[i].value,
                                   (DWORD)strlen(values[i].value) + 1);
            RegCloseKey(key);
        }
        t_say("write %s: %ld", values[i].name, error);
    }
}

static int CALLBACK count_font(const LOGFONTA *font, const TEXTMETRICA *metric, DWORD type,
                               LPARAM count)
{
    (void)font, (void)metric, (void)type;
    ++*(int *)count;
    return 1;
}

static int font_count(const char *face)
{
    LOGFONTA font = {.lfCharSet = DEFAULT_CHARSET};
    HDC dc = CreateCompatibleDC(NULL);
    int count = 0;

    strcpy(font.lfFaceName, face);
    EnumFontFamiliesExA(dc, &font, count_font, (LPARAM)&count, 0);
    DeleteDC(dc);
    return count;
}

static void fonts(const char *file)
{
    t_say("the font is there: %s", font_count("FvmTst Sans") ? "yes" : "no");
    if (!file) return;
    t_say("add: %d", AddFontResourceA(file));
    t_say("the font is there: %s", font_count("FvmTst Sans") ? "yes" : "no");
}

static void display(void)
{
    DEVMODEA now = {.dmSize = sizeof now}, mode = {.dmSize = sizeof mode};
    WORD ramp[3][256];
    HDC dc = GetDC(NULL);
    bool other = false;
    BOOL saver = TRUE;

    EnumDisplaySettingsA(NULL, ENUM_CURRENT_SETTINGS, &now);
    for (DWORD i = 0; !other && EnumDisplaySettingsA(NULL, i, &mode); i++)
        other = mode.dmPelsWidth != now.dmPelsWidth && mode.dmBitsPerPel == now.dmBitsPerPel;
    if (!other) {
        /* the display has one mode: one that no display has must be refused as well */
        mode = now;
        mode.dmPelsWidth = 320, mode.dmPelsHeight = 200;
    }
    mode.dmFields = DM_PELSWIDTH | DM_PELSHEIGHT;
    t_ok(ChangeDisplaySettingsA(&mode, CDS_FULLSCREEN) != DISP_CHANGE_SUCCESSFUL,
         "another mode is refused (%lux%lu)", mode.dmPelsWidth, mode.dmPelsHeight);
    t_ok(ChangeDisplaySettingsA(&mode, CDS_UPDATEREGISTRY) != DISP_CHANGE_SUCCESSFUL,
         "another mode to be kept is refused");
    mode = now;
    mode.dmFields = DM_POSITION;
    mode.dmPosition.x += 64;
    t_ok(ChangeDisplaySettingsA(&mode, 0) != DISP_CHANGE_SUCCESSFUL, "another place is refused");
    mode = now;
    mode.dmFields = DM_PELSWIDTH | DM_PELSHEIGHT;
    t_ok(ChangeDisplaySettingsA(&mode, CDS_FULLSCREEN) == DISP_CHANGE_SUCCESSFUL,
         "the mode that it has is accepted");
    t_ok(ChangeDisplaySettingsA(NULL, 0) == DISP_CHANGE_SUCCESSFUL, "going back is accepted");
    mode = now;
    EnumDisplaySettingsA(NULL, ENUM_CURRENT_SETTINGS, &mode);
    t_ok(mode.dmPelsWidth == now.dmPelsWidth && mode.dmPelsHeight == now.dmPelsHeight,
         "the mode is what it was");
    for (int i = 0; i < 256; i++)
        ramp[0][i] = ramp[1][i] = ramp[2][i] = (WORD)(i * 255);
    t_ok(!SetDeviceGammaRamp(dc, ramp), "other colours are refused");
    ReleaseDC(NULL, dc);
    SystemParametersInfoA(SPI_SETSCREENSAVEACTIVE, FALSE, NULL, 0);
    SystemParametersInfoA(SPI_GETSCREENSAVEACTIVE, 0, &saver, 0);
    t_ok(!saver, "the screen saver is off in the VM");
}

int main(int argc, char **argv)
{
    const char *what;

    t_begin(argc, argv);
    what = t_option(0);
    if (!what) t_die("say what: get, keep, temporary, registry, fonts, display");
    if (!strcmp(what, "keep")) {
        keep(SPIF_UPDATEINIFILE | SPIF_SENDCHANGE);
        say_all();
    } else if (!strcmp(what, "temporary")) {
        temporary();
        say_all();
    } else if (!strcmp(what, "registry")) {
        registry();
    } else if (!strcmp(what, "fonts")) {
        fonts(t_option(1));
    } else if (!strcmp(what, "display")) {
        display();
    } else {
        say_all();
    }
    fflush(stdout);
    return t_end();
}
