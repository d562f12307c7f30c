import yaml, json, subprocess, tempfile, os, sys
B='/tmp/helmbin'; H='/work/helm/.tools/bin/helm'; env=dict(os.environ,KUBECONFIG='/dev/null')
cases=[{}, {'SequencerHighLatency':{'threshold':'2.5','for':'10m','severity':'critical','labels':{'team':'events'}}},
 {'SequencerLowThroughput':{'enabled':True,'threshold':'12.5'},'SequencerDiskFilling':{'enabled':False}},
 {'SequencerDiskFilling':{'threshold':'0.8','severity':'warning'},'SequencerWalGrowing':{'threshold':'536870912'}},
 {'SequencerTlsCertificateExpiring':{'threshold':'2592000'},'SequencerTlsCertificateEnding':{'severity':'info'}},
 {'SequencerRestartingOften':{'threshold':'5','for':'0m'},'SequencerNotReady':{'for':'5m'},'SequencerDown':{'threshold':'2'}},
 {'SequencerAvailabilityBudgetBurn1h':{'severity':'warning','for':'3m'},'SequencerClockSkew':{'threshold':'0.25'}},
 {'CanaryStale':{'threshold':'90000'},'SequencerQueueSaturated':{'threshold':'0.123456'}},
]
allslo={}
bad=0
import re
def norm(x):
    return x
for c in cases:
    d=tempfile.mkdtemp(); 
    open(d+'/o.yaml','w').write(json.dumps({'runbooks_url':'https://r.example/x','dashboards_url':'https://g.example/d','alerts':c}))
    v={'alerts':c,'links':{'runbooksUrl':'https://r.example/x/','dashboardsUrl':'https://g.example/d'},'secrets':{'bootstrapAdminApiKey':'ss_0123456789abcdef0123456789abcdef'},'metrics':{'prometheusRule':{'enabled':True}}}
    open(d+'/v.yaml','w').write(json.dumps(v))
    subprocess.run([B+'/alerts','generate','--out',d+'/a','--overrides',d+'/o.yaml'],check=True,capture_output=True)
    subprocess.run([B+'/dashboards','generate','--out',d+'/b','--overrides',d+'/o.yaml'],check=True,capture_output=True)
    r=subprocess.run([H,'template','x','/work/helm/helm','-f',d+'/v.yaml','--kube-version','1.33.0'],capture_output=True,text=True,env=env)
    if r.returncode: print(c,r.stderr); bad+=1; continue
    docs=[x for x in yaml.load_all(r.stdout,Loader=yaml.CSafeLoader) if x]
    mine=[x for x in docs if x['kind']=='PrometheusRule'][0]['spec']; ref=yaml.safe_load(open(d+'/a/prometheusrule.yaml'))['spec']
    if mine!=ref:
        bad+=1
        for g,h in zip(mine['groups'],ref['groups']):
            for a,b in zip(g['rules'],h['rules']):
                if a!=b: print('RULE',a,b)
    for x in docs:
        if x['kind']=='ConfigMap' and x['metadata']['name'].endswith('-board'):
            [(n,t)]=x['data'].items(); m=json.loads(t); ref=json.load(open(d+'/b/'+n))
            def walk(a,b,p):
                global bad
                if isinstance(a,dict) and isinstance(b,dict):
                    if a.keys()!=b.keys(): print('KEYS',n,p,a.keys()^b.keys()); bad+=1
                    for k in a.keys()&b.keys(): walk(a[k],b[k],p+[k])
                elif isinstance(a,list) and isinstance(b,list) and len(a)==len(b):
                    for i,(q,w) in enumerate(zip(a,b)): walk(q,w,p+[i])
                elif a!=b:
                    if isinstance(a,float) and isinstance(b,(int,float)) and abs(a-b)<1e-9*max(1,abs(b)): return
                    print('DIFF',n,p,repr(a)[:200],repr(b)[:200]); bad+=1
            walk(m,ref,[])
            assert len(t.encode())<250*1024
print('bad',bad)
