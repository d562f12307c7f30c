import yaml,subprocess,re,sys
def known(*cmds):
    r=set()
    for c in cmds:
        r|=set(re.findall(r'\[env:\s+([A-Z_0-9]+)',subprocess.run(c,capture_output=True,text=True).stdout))
    return r
B='/tmp/helmbin/'
K={'sequencer':known([B+'sequencer','--help']),'sidecar':known([B+'sidecar','--help']),'loadgen':{'SEQUENCER_API_KEY'}|known([B+'loadgen','run','--help']),'demo':known([B+'sequencer','demo','--help']),'migrate':known([B+'sequencer','migrate','--help'])}
for f in sys.argv[1:]:
    docs=[d for d in yaml.load_all(open(f),Loader=yaml.CSafeLoader) if d]
    cms={d['metadata']['name']:d['data'] for d in docs if d['kind']=='ConfigMap'}
    secrets=[v for d in docs if d['kind']=='Secret' for v in d['stringData'].values()]
    for d in docs:
        spec=d.get('spec',{}); pod=spec if d['kind']=='Pod' else spec.get('template',{}).get('spec')
        if not pod: continue
        for c in pod.get('initContainers',[])+pod['containers']:
            names=[e['name'] for e in c.get('env',[])]+[k for e in c.get('envFrom',[]) for k in cms[e['configMapRef']['name']]]
            if c['name'] in K: print(f,d['kind'],d['metadata']['name'],c['name'],'unknown:',set(names)-K[c['name']], len(names))
            assert c['resources']['limits'] and c['securityContext']['readOnlyRootFilesystem'] and not c['image'].endswith(':latest')
            for s in secrets: assert s not in str(c.get('args'))+str(c['command'] if 'command' in c else '')
        assert pod['securityContext']['runAsNonRoot'] and pod['automountServiceAccountToken'] is False and pod['enableServiceLinks'] is False
    for d in docs:
        if d['kind']=='ConfigMap' :
            for s in secrets: assert s not in str(d)
