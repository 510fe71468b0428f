// What tests/programs/node.sh runs with node.exe, natively and in a VM: files by the
// thousands, directories renamed, hard links, watching, children, pipes. It writes what it
// sees, in an order that does not depend on time, so that the two runs can be compared.
//
// usage: node node-files.js DIR work     DIR\old holds a tree made beforehand
//        node node-files.js DIR dump     only the list of what is there
//        node node-files.js DIR echo     a child: what comes in goes out in capitals
//        node node-files.js DIR fork     a child that answers messages
'use strict';
const fs = require('fs');
const path = require('path');
const os = require('os');
const crypto = require('crypto');
const { spawn, spawnSync, execFile, fork } = require('child_process');

const [dir, what] = process.argv.slice(2);
const say = (...words) => console.log(...words);
const at = (...names) => path.join(dir, ...names);
const sha = (data) => crypto.createHash('sha1').update(data).digest('hex').slice(0, 12);

// attempt LABEL FUNCTION: the result, or the error's code, is part of the transcript.
function attempt(label, f) {
    try {
        const r = f();
        say(label, r === undefined ? 'ok' : r);
    } catch (e) {
        say(label, 'fails:', e.code, e.syscall);
    }
}

// summary of a whole tree: one line per folder, with a hash over names, sizes and contents
function dump(top) {
    const folders = [top];
    while (folders.length) {
        const folder = folders.pop();
        const hash = crypto.createHash('sha1');
        const entries = fs.readdirSync(folder, { withFileTypes: true });
        let files = 0, bytes = 0;
        for (const e of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
            const full = path.join(folder, e.name);
            if (e.isDirectory()) {
                folders.push(full);
                hash.update(`d ${e.name}\n`);
            } else {
                const data = fs.readFileSync(full);
                const st = fs.statSync(full);
                hash.update(`f ${e.name} ${st.size} ${st.nlink} ${st.mode.toString(8)} ${sha(data)}\n`);
                files++;
                bytes += data.length;
            }
        }
        folders.sort((a, b) => (a < b ? 1 : -1));
        say('folder', folder, entries.length, 'entries', files, 'files', bytes, 'bytes', hash.digest('hex'));
    }
}

function makeFiles() {
    for (let d = 0; d < 10; d++) {
        fs.mkdirSync(at('new', `d${d}`, 'sub'), { recursive: true });
        for (let i = 0; i < 1000; i++) {
            fs.writeFileSync(at('new', `d${d}`, i % 4 ? '' : 'sub', `f${i}.txt`), `file ${d} ${i}\n`.repeat(i % 9));
        }
    }
    for (let d = 0; d < 10; d++) {
        const names = fs.readdirSync(at('new', `d${d}`));
        say('made', `d${d}`, names.length, names[0], names[names.length - 1]);
    }
}

function renames() {
    attempt('rename new/d0 (1000 files)', () => fs.renameSync(at('new', 'd0'), at('new', 'renamed')));
    attempt('rename old/thousands (of the base)', () => fs.renameSync(at('old', 'thousands'), at('new', 'from base')));
    attempt('rename old itself', () => fs.renameSync(at('old'), at('older')));
    attempt('rename back', () => fs.renameSync(at('older'), at('old')));
    attempt('rename onto a folder with files', () => fs.renameSync(at('new', 'd1'), at('new', 'd2')));
    attempt('rename into itself', () => fs.renameSync(at('new', 'd1'), at('new', 'd1', 'sub', 'd1')));
    attempt('rename what is not there', () => fs.renameSync(at('new', 'd0'), at('new', 'x')));
    attempt('rename a file onto a file', () => fs.renameSync(at('new', 'd3', 'f1.txt'), at('new', 'd3', 'f2.txt')));
    attempt('the case of a name', () => fs.renameSync(at('new', 'd4'), at('new', 'D4')));
    attempt('listing', () => fs.readdirSync(at('new')).join());
    attempt('in a renamed folder', () => fs.readFileSync(at('new', 'from base', 'b17.txt'), 'utf8').trim());
    attempt('by another case', () => fs.readFileSync(at('NEW', 'FROM BASE', 'B18.TXT'), 'utf8').trim());
    attempt('by the old name', () => fs.readFileSync(at('old', 'thousands', 'b17.txt'), 'utf8'));
    attempt('write there', () => fs.appendFileSync(at('new', 'from base', 'b17.txt'), 'more\n'));
    attempt('delete there', () => fs.unlinkSync(at('new', 'from base', 'b18.txt')));
    attempt('remove a full folder', () => fs.rmdirSync(at('new', 'd5')));
    attempt('remove it with all in it', () => fs.rmSync(at('new', 'd5'), { recursive: true }));
    attempt('remove one of the base', () => fs.rmSync(at('old', 'gone'), { recursive: true }));
    attempt('make it anew', () => fs.mkdirSync(at('old', 'gone')));
    attempt('it is empty', () => fs.readdirSync(at('old', 'gone')).length);
}

function links() {
    for (const [from, to] of [['new/d6/f1.txt', 'new/d6/link1.txt'], ['new/d6/f2.txt', 'new/d7/link2.txt']]) {
        attempt(`link ${from}`, () => fs.linkSync(at(from), at(to)));
        attempt('  links', () => fs.statSync(at(to)).nlink);
        attempt('  write through one', () => fs.appendFileSync(at(from), 'through the first\n'));
        attempt('  read through the other', () => sha(fs.readFileSync(at(to))));
        attempt('  same file', () => fs.statSync(at(from)).ino === fs.statSync(at(to)).ino);
        attempt('  remove the first', () => fs.unlinkSync(at(from)));
        attempt('  links', () => fs.statSync(at(to)).nlink);
    }
    attempt('link onto what is there', () => fs.linkSync(at('new/d6/f3.txt'), at('new/d6/f5.txt')));
    attempt('link a folder', () => fs.linkSync(at('new/d6'), at('new/d6x')));
    attempt('link a file of the base', () => fs.linkSync(at('old/keep/k1.txt'), at('new/k1 link.txt')));
    attempt('  write through it', () => fs.appendFileSync(at('new/k1 link.txt'), 'linked\n'));
    attempt('  read the file', () => fs.readFileSync(at('old/keep/k1.txt'), 'utf8').trim());
}

function openFiles() {
    const a = fs.openSync(at('old/keep/k2.txt'), 'r');
    const b = fs.openSync(at('old/keep/k2.txt'), 'r+');
    fs.writeSync(b, 'WRITTEN', 0);
    const buf = Buffer.alloc(7);
    fs.readSync(a, buf, 0, 7, 0);
    say('a reader of before sees', buf.toString());
    fs.ftruncateSync(b, 3);
    say('and the size', fs.fstatSync(a).size);
    fs.futimesSync(b, 1e9, 1.1e9);
    fs.closeSync(b);
    say('and the time', fs.fstatSync(a).mtimeMs);
    fs.closeSync(a);
    attempt('make it read-only', () => fs.chmodSync(at('old/keep/k2.txt'), 0o444));
    attempt('write to it', () => fs.writeFileSync(at('old/keep/k2.txt'), 'x'));
    attempt('delete it', () => fs.unlinkSync(at('old/keep/k2.txt')));
    attempt('create only', () => fs.closeSync(fs.openSync(at('old/keep/k3.txt'), 'wx')));
    attempt('copy', () => fs.copyFileSync(at('old/keep/k3.txt'), at('old/keep/copy of k3.txt')));
    attempt('copy, not over', () => fs.copyFileSync(at('old/keep/k4.txt'), at('old/keep/k3.txt'), fs.constants.COPYFILE_EXCL));
    attempt('real path', () => fs.realpathSync.native(at('OLD', 'KEEP', 'K3.TXT')));
    const tmp = fs.mkdtempSync(at('tmp-'));
    say('temporary folder', path.basename(tmp).length, fs.readdirSync(tmp).length);
    fs.rmdirSync(tmp);
    say('temp', os.tmpdir(), fs.existsSync(os.tmpdir()));
}

// Which names a watcher reports, of a folder of the base and of a new one.
function watching(folder) {
    return new Promise((done, failed) => {
        const seen = new Set();
        const timer = setTimeout(() => failed(new Error(`no event for ${folder}`)), 20000);
        const watcher = fs.watch(folder, (event, name) => {
            if (name === 'last.txt') {
                clearTimeout(timer);
                watcher.close();
                say('watched', folder, [...seen].sort().join());
                done();
            } else {
                seen.add(name);
            }
        });
        setTimeout(() => {
            fs.writeFileSync(path.join(folder, 'first.txt'), '1');
            fs.appendFileSync(path.join(folder, 'k5.txt'), 'changed\n');
            fs.renameSync(path.join(folder, 'k6.txt'), path.join(folder, 'six.txt'));
            fs.unlinkSync(path.join(folder, 'k7.txt'));
            fs.mkdirSync(path.join(folder, 'folder'));
            fs.writeFileSync(path.join(folder, 'last.txt'), '2');
        }, 200);
    });
}

const ended = (child) => new Promise((done) => child.on('close', (code, signal) => done([code, signal])));

async function children() {
    const dirOut = spawnSync('cmd.exe', ['/d', '/c', 'dir', '/b', at('new')], { encoding: 'utf8' });
    say('cmd dir', dirOut.status, dirOut.stdout.split(/\r?\n/).join());
    const bat = spawnSync('cmd.exe', ['/d', '/c', `cd /d ${at('old', 'keep')} && echo by cmd>by_cmd.txt&& cd && exit 3`], { encoding: 'utf8' });
    say('cmd writes', bat.status, bat.stdout.trim(), fs.readFileSync(at('old', 'keep', 'by_cmd.txt'), 'utf8').trim());
    const cwd = spawnSync('cmd.exe', ['/d', '/c', 'cd'], { encoding: 'utf8', cwd: at('new', 'from base') });
    say('working folder', cwd.stdout.trim());
    const env = spawnSync('cmd.exe', ['/d', '/c', 'echo %FVM_TEST_X%'], { encoding: 'utf8', env: { ...process.env, FVM_TEST_X: 'für' } });
    say('environment', env.stdout.trim());
    const none = spawnSync(at('no such.exe'), []);
    say('no program', none.error && none.error.code);

    // itself, with pipes both ways: 4 MiB through it
    const echo = spawn(process.execPath, [__filename, dir, 'echo']);
    const hash = crypto.createHash('sha1');
    let length = 0;
    echo.stdout.on('data', (d) => { hash.update(d); length += d.length; });
    const line = 'all kinds of letters\n';
    for (let i = 0; i < 4; i++) echo.stdin.write(line.repeat(Math.floor(1048576 / line.length)));
    echo.stdin.end();
    say('pipes', await ended(echo), length, hash.digest('hex'));

    // a pipeline of cmd and findstr behind an exec
    await new Promise((done) => execFile('cmd.exe', ['/d', '/c', `type ${at('old', 'keep', 'k5.txt')} | sort`],
        (e, out) => { say('pipeline', e && e.code, out.trim().split(/\r?\n/).join()); done(); }));

    // a child with a channel for messages; the parent closes it after the last answer (on which
    // of "close" and "disconnect" come when the child does it, node does not agree with itself)
    const child = fork(__filename, [dir, 'fork']);
    const answers = [];
    await new Promise((done) => {
        child.on('message', (m) => { if (answers.push(m) === 3) done(); });
        for (let i = 0; i < 3; i++) child.send({ number: i, file: at('old', 'keep', `k${8 + i}.txt`) });
    });
    const exited = new Promise((done) => child.on('exit', (code, signal) => done([code, signal])));
    child.disconnect();
    say('forked', await exited, JSON.stringify(answers));

    // many children write at once
    const all = [];
    for (let i = 0; i < 8; i++) {
        all.push(ended(spawn('cmd.exe', ['/d', '/c', `(echo child ${i})>${at('new', `child${i}.txt`)}`])));
    }
    say('eight children', JSON.stringify(await Promise.all(all)));
    say('their files', [0, 1, 2, 3, 4, 5, 6, 7].map((i) => fs.readFileSync(at('new', `child${i}.txt`), 'utf8').trim()).join());

    const killed = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    setTimeout(() => killed.kill(), 300);
    say('killed', await ended(killed));
}

async function streams() {
    const out = fs.createWriteStream(at('new', 'stream.bin'));
    for (let i = 0; i < 256; i++) out.write(Buffer.alloc(8192, i));
    await new Promise((done) => out.end(done));
    const hash = crypto.createHash('sha1');
    for await (const d of fs.createReadStream(at('new', 'stream.bin'))) hash.update(d);
    say('stream', fs.statSync(at('new', 'stream.bin')).size, hash.digest('hex'));
    // many at once, through the thread pool
    const read = await Promise.all([...Array(200).keys()].map((i) => fs.promises.readFile(at('new', 'from base', `b${i + 20}.txt`))));
    say('at once', read.length, sha(Buffer.concat(read)));
    await Promise.all([...Array(200).keys()].map((i) => fs.promises.rename(at('new', 'from base', `b${i + 20}.txt`), at('new', 'from base', `c${i}.txt`))));
    say('renamed at once', fs.readdirSync(at('new', 'from base')).filter((n) => n[0] === 'c').length);
}

async function work() {
    say('node', process.version, process.platform, process.execPath, process.cwd(), __filename);
    makeFiles();
    renames();
    links();
    openFiles();
    await streams();
    await children();
    fs.mkdirSync(at('fresh'));
    for (const i of [5, 6, 7]) fs.writeFileSync(at('fresh', `k${i}.txt`), 'fresh\n');
    await watching(at('fresh'));
    await watching(at('old', 'keep'));
    dump(dir);
    say('done');
}

if (what === 'work') {
    work().catch((e) => { say('failed:', e); process.exitCode = 1; });
} else if (what === 'dump') {
    dump(dir);
} else if (what === 'echo') {
    process.stdin.on('data', (d) => process.stdout.write(d.toString().toUpperCase()));
} else if (what === 'fork') {
    process.on('message', (m) => {
        process.send({ number: m.number, text: fs.readFileSync(m.file, 'utf8').trim() });
    });
}
