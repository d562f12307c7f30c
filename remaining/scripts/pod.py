import yaml,subprocess,sys,os,tempfile,time,urllib.request,signal,base64
B='/tmp/helmbin/'; f,pgurl=sys.argv[1],(sys.argv[2] if len(sys.argv)>2 else None)
docs=[d for d in yaml.load_all(open(f),Loader=yaml.CSafeLoader) if d]
by={(d['kind'],d['metadata']['name']):d for d in docs}
cms={n:d['data'] for (k,n),d in by.items() if k=='ConfigMap'}; sec={n:d['stringData'] for (k,n),d in by.items() if k=='Secret'}
root=tempfile.mkdtemp(); os.chmod(root,0o755)
for d in('data','state','tmp','reports'): os.mkdir(root+'/'+d); os.chown(root+'/'+d,1000,1000)
pod=[d for d in docs if d['kind'] in('StatefulSet','Deployment') and d['metadata']['name']=='sequencer'][0]['spec']['template']['spec']
def env(c):
    e={'PATH':'/usr/bin','TMPDIR':root+'/tmp'}
    for x in c.get('envFrom',[]): e.update(cms[x['configMapRef']['name']])
    for x in c.get('env',[]):
        if 'value' in x: e[x['name']]=x['value']
        else: s=x['valueFrom']['secretKeyRef']; e[x['name']]=sec[s['name']][s['key']]
    for k in e:
        for p in('/data','/state','/reports'):
            if e[k]==p or e[k].startswith('sqlite://'+p): e[k]=e[k].replace(p,root+p,1)
    if pgurl and 'DATABASE_URL' in e: e['DATABASE_URL']=pgurl
    for k in e: e[k]=e[k].replace('http://sequencer:','http://127.0.0.1:').replace('http://sequencer-metrics:','http://127.0.0.1:')
    return e
def start(c,cmd=None,**k):
    cmd=cmd or c['command']+c.get('args',[])
    cmd=[B+os.path.basename(cmd[0])]+[a.replace('http://sequencer:','http://127.0.0.1:').replace('http://sequencer-metrics:','http://127.0.0.1:').replace('/reports',root+'/reports') for a in cmd[1:]]
    # a user of its own, a root that cannot be written, nothing inherited
    return subprocess.Popen(['setpriv','--reuid=1000','--regid=1000','--clear-groups','--no-new-privs','--bounding-set=-all']+cmd,env=env(c),cwd='/',**k)
cs={c['name']:c for c in pod.get('initContainers',[])+pod['containers']}
seq,side=cs['sequencer'],cs['sidecar']
log=open(root+'/log','w'); slog=open(root+'/slog','w')
if ('Job','sequencer-migrate') in by:
    m=by[('Job','sequencer-migrate')]['spec']['template']['spec']['containers'][0]
    p=start(m); print('migrate rc',p.wait())
s2=start(side,stderr=slog); s1=start(seq,stderr=log)
ports={p['name']:p['containerPort'] for c in cs.values() for p in c['ports']}
def probe(c,name):
    g=c[name]['httpGet']
    try: return urllib.request.urlopen('http://127.0.0.1:%d%s'%(ports[g['port']],g['path']),timeout=2).status
    except urllib.error.HTTPError as e: return e.code
    except Exception as e: return type(e).__name__
time.sleep(3)
for n in('startupProbe','livenessProbe','readinessProbe'): print(n,probe(seq,n))
time.sleep(2); print('sidecar live',probe(side,'livenessProbe'))
t=by[('Pod','sequencer-test')]['spec']['containers'][0]; p=start(t,stdout=subprocess.PIPE); out=p.communicate()[0].decode(); print('helm test rc',p.returncode)
if ('StatefulSet','sequencer-witness') in by:
    w=by[('StatefulSet','sequencer-witness')]['spec']['template']['spec']['containers'][0]
    we=env(w); 
    os.mkdir(root+'/w'); os.chown(root+'/w',1000,1000)
    cms['sequencer-witness']['SIDECAR_STATE_DIR']=root+'/w'; cms['sequencer-witness']['SIDECAR_PORT']='19091'
    p=start(w,stderr=slog); time.sleep(5)
    r=urllib.request.urlopen('http://127.0.0.1:19091/metrics').read().decode(); print([l for l in r.splitlines() if l.startswith('stateset_sidecar_witness_verified_sequence')][:2]); p.terminate(); print('witness rc',p.wait())
L=[d for d in docs if d['kind']=='Job' and 'loadgen' in d['metadata']['name']]
if L:
    p=start(L[0]['spec']['template']['spec']['containers'][0],stdout=subprocess.PIPE,stderr=subprocess.STDOUT); out=p.communicate()[0].decode(); print('loadgen rc',p.returncode,out[-400:])
t0=time.time(); p=start(seq,seq['lifecycle']['preStop']['exec']['command']); time.sleep(1); print('after 1 s: ready',probe(seq,'readinessProbe'),'live',probe(seq,'livenessProbe')); print('preStop rc',p.wait(),'%.1f s'%(time.time()-t0))
t1=time.time(); s1.terminate(); print('sequencer rc',s1.wait(),'%.1f s after SIGTERM'%(time.time()-t1),'grace',pod['terminationGracePeriodSeconds']); print('sidecar alive',s2.poll() is None, probe(side,'livenessProbe')); s2.terminate(); print('sidecar rc',s2.wait())
print(os.listdir(root+'/data'),os.listdir(root+'/state')); print(open(root+'/log').read()[-300:]); print([l for l in open(root+'/slog').read().splitlines() if 'ERROR' in l][:3])
