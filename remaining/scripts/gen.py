#!/usr/bin/env python3
"""Throwaway: derives helm/files from the real generators, by asking them with changed values."""
import json, os, re, shutil, subprocess, sys, tempfile, copy
import yaml
B='/tmp/helmbin'; OUT=sys.argv[1]
UNITS={'%':'ratio','s':'seconds','d':'seconds','MiB':'bytes','/s':'per_second'}
def run(*a): return subprocess.run(a,check=True,capture_output=True,text=True).stdout
def alerts(over):
    d=tempfile.mkdtemp(); f=d+'/v.yaml'; open(f,'w').write(json.dumps(over))
    run(B+'/alerts','generate','--out',d+'/o','--overrides',f)
    g=yaml.safe_load(open(d+'/o/prometheusrule.yaml'))['spec']['groups']; shutil.rmtree(d); return g
def boards(over):
    d=tempfile.mkdtemp(); f=d+'/v.yaml'; open(f,'w').write(json.dumps(over))
    run(B+'/dashboards','generate','--out',d+'/o','--overrides',f)
    r={n:json.load(open(d+'/o/'+n)) for n in sorted(os.listdir(d+'/o')) if n.endswith('.json')}; shutil.rmtree(d); return r
def order():
    return [l.split()[0] for l in run(B+'/alerts','list').splitlines() if l and l[0].isalpha()]
names=[n for n in order()]
text=run(B+'/alerts','list')
on={'alerts':{n:{'enabled':True} for n in names}}
plain=alerts({}); every=alerts(on)
enabled={r['alert'] for g in plain for r in g['rules'] if 'alert' in r}
rules={r['alert']:r for g in every for r in g['rules'] if 'alert' in r}
names=list(rules)
GUIDE=open('/work/helm/docs/monitoring.md').read()
import decimal
def num(x):
    s=format(decimal.Decimal(repr(float(x))).normalize(),'f'); return s
info={}
RB='http://127.0.0.1:9091/runbooks'; DB='http://127.0.0.1:3000/d'
for n in names:
    r=rules[n]
    d={'alert':n,'enabled':n in enabled,'severity':r['labels']['severity'],'for':r['for']}
    expr=r['expr']
    if r['labels'].get('objective'):
        d.update(threshold=None,operator=None,unit=None)
    else:
        SENT=987654.5
        changed={x['alert']:x for g in alerts({'alerts':{n:{'threshold':SENT,'enabled':True}}}) for x in g['rules'] if 'alert' in x}[n]['expr']
        pre=os.path.commonprefix([expr,changed])
        i=changed.index('987654.5'); 
        tok='@threshold:%s@'%n
        templ=changed.replace('987654.5',tok)
        # default threshold = what stands there
        rest=changed[i+len('987654.5'):].split('987654.5')[0]
        m=re.match(r'(-?[0-9.]+)',expr[i:]); thr=m.group(1)
        assert templ.replace(tok,thr)==expr,(n,templ,expr)
        op=re.search(r'(==|>|<)\s*$',changed[:i]).group(1)
        d.update(threshold=thr,operator=op); expr=templ
    d['expr']=expr
    d['labels']={k:v for k,v in r['labels'].items() if k!='severity'}
    a=r['annotations']; d['summary']=a['summary']; d['description']=a['description']
    d['board']=a['dashboard_url'].split('/')[-1]
    assert a['runbook_url']==RB+'/'+n and set(a)=={'summary','description','runbook_url','dashboard_url'}
    m=re.search(r'`'+n+r'` \| \w+ \| (?:==|>|<) (-?[0-9.]+)( %| s| d| MiB| /s)? \|',GUIDE)
    assert m or d.get('threshold') is None,n
    if d.get('threshold') is not None:
        d['unit']={' %':'ratio',' s':'seconds',' d':'seconds',' MiB':'bytes',' /s':'per_second',None:'count'}[m.group(2)]
    info[n]=d
groups=[]
for g in every:
    groups.append({'name':g['name'],'interval':g['interval'],
      'records':[{'record':r['record'],'expr':r['expr']} for r in g['rules'] if 'record' in r],
      'alerts':[info[r['alert']] for r in g['rules'] if 'alert' in r]})
# boards
base=boards({})
tok=copy.deepcopy(base)
def walk(a,b,path,hit):
    if type(a)!=type(b) and not (isinstance(a,(int,float)) and isinstance(b,(int,float))): hit(path,a,b); return
    if isinstance(a,dict):
        assert a.keys()==b.keys(),path
        for k in a: walk(a[k],b[k],path+[k],hit)
    elif isinstance(a,list):
        assert len(a)==len(b),path
        for i,(x,y) in enumerate(zip(a,b)): walk(x,y,path+[i],hit)
    elif a!=b: hit(path,a,b)
def get(t,p):
    for k in p: t=t[k]
    return t
def put(t,p,v): get(t,p[:-1])[p[-1]]=v
sevs={'info':'blue','warning':'orange','critical':'red'}
sent={}
for n,d in info.items():
    # sentence in descriptions
    fires=(d['operator']+' ' if d['operator'] else '')
    if d['threshold'] is not None:
        t=float(d['threshold']); eps=max(abs(t)*1e-9,1e-9)
        b=boards({'alerts':{n:{'threshold':t+eps}}})
        for f in base:
            def hit(path,x,y,f=f):
                if path[-1]=='value':
                    put(tok[f],path,'@threshold:%s@'%n if abs(x-t)<1e-6*max(1,abs(t)) else '@threshold+0.5:%s@'%n)
                elif path[-1]=='description': pass
                elif path[-1]=='axisSoftMax':
                    assert abs(x-1.1*t)<1e-9*max(1,t),(n,x,t); put(tok[f],path,'@threshold*1.1:%s@'%n)
                elif path[-1] in('min','max'): print('bounds',n,f,path)
                else: raise SystemExit(('unknown',n,f,path,x,y))
            walk(base[f],b[f],[],hit)
    other='critical' if d['severity']!='critical' else 'info'
    b=boards({'alerts':{n:{'severity':other}}})
    for f in base:
        def hit(path,x,y,f=f):
            if path[-1]=='color': put(tok[f],path,'@colour:%s@'%n)
            elif path[-1]=='description': pass
            else: raise SystemExit(('sev',n,f,path,x,y))
        walk(base[f],b[f],[],hit)
def strings(t):
    if isinstance(t,dict):
        for k in t: t[k]=strings(t[k])
    elif isinstance(t,list):
        t=[strings(x) for x in t]
    elif isinstance(t,str):
        for n,d in info.items():
            m=re.search(re.escape(n)+r' \((info|warning|critical)\): (.*?), fires (at once|after \w+)(; off until it is enabled)?: '+re.escape(d['summary']),t)
            if m:
                if d['threshold'] is None: d['words']=m.group(2)
                else: d['words_default']=m.group(2)
                t=t.replace(m.group(0),'@alert:%s@'%n)
        t=t.replace(RB,'@runbooks_url@').replace(DB,'@dashboards_url@')
    return t
for f in tok: tok[f]=strings(tok[f])
os.makedirs(OUT+'/boards',exist_ok=True)
used=set()
for f in tok:
    s=json.dumps(tok[f],indent=1,ensure_ascii=False)+'\n'
    used|=set(re.findall(r'@[a-z_+0-9.]+(?::\w+)?@',s))
    open(OUT+'/boards/'+f,'w').write(s)
for d in info.values():
    w=d.pop('words',None); d.pop('words_default',None)
    if d['threshold'] is None: d.pop('unit',None); d.pop('operator',None); d.pop('threshold'); d['fires']=w
keep=('alert','enabled','severity','for','threshold','operator','unit','fires','expr','labels','summary','description','board')
for g in groups: g['alerts']=[{k:a[k] for k in keep if k in a and a[k] is not None} for a in g['alerts']]
asc=set()
def look(t):
    if isinstance(t,dict):
        st=t.get('steps') if t.get('mode')=='absolute' else None
        if st:
            l=tuple(x['value'].split(':')[1][:-1] for x in st if isinstance(x['value'],str) and x['value'].startswith('@threshold:'))
            if len(l)>1: asc.add(l)
        for k in t: look(t[k])
    elif isinstance(t,list):
        for x in t: look(x)
for f in tok: look(tok[f])
print(asc)
doc={'runbooksUrl':RB,'dashboardsUrl':DB,'ascending':sorted(map(list,asc)),'groups':groups}
open(OUT+'/alerts.json','w').write(json.dumps(doc,indent=1,ensure_ascii=False)+'\n')
print(len(names),'alerts',len(used),'tokens'); 
print(sorted(x for x in used if 'SequencerDisk' in x or 'url' in x))
